// Operations of a binding:  node operation_test.mjs OPERATION_PROBE.wasm

import fs from "node:fs";
import { load, run } from "../../wasm_glue/escapement.mjs";
import { operate } from "../../wasm_glue/host_operation.mjs";
import { equal, finish, test, that } from "./check.mjs";

const module = await load(fs.readFileSync(process.argv[2]));
let drops = 0;
const binding = (begin) => ({
  module: "escapement_test",
  imports: {
    begin(id, at, length) {
      const text = this.text(at, length);
      operate(this, id, () => begin(text, this), () => void ++drops);
    },
  },
});
let answer;
const bindings = [binding((text, context) => answer(text, context))];
const operated = (text, begin, name = "operated", more) => {
  answer = begin;
  return run(module, name, text, { bindings, ...more });
};
const failure = (promise) => promise.then((value) => "no failure but " + value, (error) => error.message);

await test("an operation yields text, bytes, nothing, or a status", async () => {
  equal(await operated("key", async (text) => text + " gr\u00fcn"), "0 key gr\u00fcn");
  equal(await operated("", () => new Uint8Array([104, 105])), "0 hi");
  equal(await operated("", () => new Uint8Array([104, 105]).buffer), "0 hi");
  for (const nothing of [null, undefined, ""]) equal(await operated("", () => nothing), "0 ");
  equal(await operated("", () => ({ status: 404 })), "404 ");
  equal(await operated("", () => ({ status: 7, data: "seven" })), "7 seven");
  equal(drops, 0, "drops");
});

await test("one that fails says why, and of which kind", async () => {
  equal(await failure(operated("", () => Promise.reject(new Error("no store")))), "reset: no store");
  equal(await failure(operated("", () => { throw Object.assign(new Error("429"), { code: "unavailable" }); })), "unavailable: 429");
  equal(await failure(operated("", () => Symbol("no bytes"))).then((text) => text.slice(0, 6)), "reset:");
  equal(drops, 0, "drops");
});

await test("one that is given up is dropped, and its late end is nobody's", async () => {
  let late;
  const gone = failure(operated("", () => new Promise((resolve) => (late = resolve)), "dropped"));
  equal(await gone, "timed_out: nothing within 20ms");
  equal(drops, 1, "drops");
  late("late");
  const stop = new AbortController();
  const running = failure(operated("", () => new Promise(() => {}), "operated", { signal: stop.signal }));
  await new Promise((resolve) => setTimeout(resolve, 1));
  stop.abort(new Error("left"));
  equal(await running, "left");
  equal(drops, 2, "drops");
});

await test("its context calls what a binding wants at its end, however it comes", async () => {
  let ends = 0;
  const begin = (_, context) => {
    (context.ends ??= []).push(() => { throw new Error("no matter"); }, () => ++ends);
    return "";
  };
  equal(await operated("", begin), "0 ");
  equal(ends, 1, "ends");
  that(!(await failure(operated("", begin, "trapped"))).startsWith("no failure"), "a trap");
  equal(ends, 2, "ends");
});

await test("its context has what the caller gave", async () => {
  const env = { NAME: "value" };
  equal(await operated("", (_, context) => context.env.NAME + context.ctx.id, "operated", { env, ctx: { id: 7 } }), "0 value7");
});

await test("a binding that is missing, and an import that throws, fail the call and name it", async () => {
  that(/escapement_test/.test(await failure(run(await load(fs.readFileSync(process.argv[2])), "operated", ""))), "named");
  const throwing = [{ module: "escapement_test", imports: { begin() { throw new Error("no import"); } } }];
  equal(await failure(run(await load(fs.readFileSync(process.argv[2])), "operated", "", { bindings: throwing })), "exception: no import");
});
finish();
