// The page of docs/tutorials/browser.md, in Chromium:  node page_test.mjs FOLDER-OF-NAP

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { finish, test, that } from "../wasm_glue/check.mjs";
import { root, textInChromium } from "../wasm_glue/hosts.mjs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-page-"));
fs.cpSync(path.join(root, "tests/examples/page"), folder, { recursive: true });
fs.cpSync(process.argv[2], path.join(folder, "build/nap"), { recursive: true });
await test("the page shows how late five naps were, and none is early", async () => {
  const text = await textInChromium(folder, "p", "late by");
  const late = text.match(/-?\d+/g).map(Number);
  that(late.length === 5 && late.every((us) => us >= 0), text);
});
fs.rmSync(folder, { recursive: true });
finish();
