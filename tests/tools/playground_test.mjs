// The playground in Chromium, on a phone in the dark and on a desk in the light, by keyboard alone:
//
//   node playground_test.mjs FOLDER [SCREENSHOTS]

import path from "node:path";
import { equal, finish, test, that } from "../wasm_glue/check.mjs";
import { filesOf, startFiles, withChromium } from "../wasm_glue/hosts.mjs";

const [folder, screenshots] = process.argv.slice(2);
const server = await startFiles(filesOf(folder));

// WCAG 2.2's contrast of two colours as "rgb(r, g, b)".
const luminance = (colour) => {
  const [r, g, b] = colour.match(/[\d.]+/g).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};

// Presses Tab until the element with this id has the focus.
async function tabTo(page, id) {
  for (let i = 0; i < 40; ++i) {
    if (await page.evaluate((id) => document.activeElement?.id === id || document.activeElement?.name === id, id)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${id}`);
}

async function open(browser, prepare) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await prepare?.(page);
  await page.goto(server.url);
  await page.locator("#outcome", { hasText: "After" }).waitFor({ timeout: 30000 });
  return { page, errors };
}

await withChromium(async (browser) => {
  const readers = {
    "a phone in the dark": [{ width: 360, height: 740 }, "dark"],
    "a desk in the light": [{ width: 1200, height: 900 }, "light"],
  };
  for (const [name, [viewport, colorScheme]] of Object.entries(readers)) {
    await test(name, async () => {
      const { page, errors } = await open(browser, async (page) => {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
      });
      that((await page.textContent("#where")).includes("in a Worker"), "where it runs");
      that(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
      const unnamed = await page.evaluate(() => {
        const fields = [...document.querySelectorAll("input, select, button")];
        return fields.filter((field) => !field.labels?.length && !field.textContent.trim()).length;
      });
      equal(unnamed, 0, "fields without a name");
      const colours = await page.evaluate(() => [getComputedStyle(document.body), getComputedStyle(document.querySelector(".quiet"))].map(({ color }) => color)
        .concat(getComputedStyle(document.body).backgroundColor));
      for (const colour of colours.slice(0, 2)) that(contrast(colour, colours[2]) >= 4.5, `contrast of ${colour} on ${colours[2]}`);

      await page.evaluate(() => document.body.focus());
      await tabTo(page, "length");
      await page.keyboard.press("1");
      await tabTo(page, "measure");
      await page.keyboard.press("Enter");
      await page.waitForTimeout(1500);
      await page.keyboard.press("Enter");
      const said = await page.textContent("#summary");
      that(/sleeps each\. escapement: median [\d.]+ ms, 99 % within [\d.]+ ms, 0 early; setTimeout: median/.test(said), said);
      if (screenshots) await page.screenshot({ path: path.join(screenshots, name.replaceAll(" ", "-") + ".png"), fullPage: true });
      equal(errors.join(), "", "errors");
      await page.close();
    });
  }

  await test("a policy is edited by keyboard, and the timeline follows", async () => {
    const { page } = await open(browser);
    const set = async (field, value) => {
      await tabTo(page, field);
      await page.keyboard.press("Control+A");
      await page.keyboard.type(String(value));
    };
    await page.evaluate(() => document.querySelector("#length").focus());
    for (const [field, value] of Object.entries({ attempts: 3, backoff: 100 })) await set(field, value);
    await page.selectOption("[name=jitter]", "0");
    for (const [field, value] of Object.entries({ per_try: 250, whole: 5000, failing: 0, silent: 100 })) await set(field, value);
    await page.locator("#outcome", { hasText: "3 attempts" }).waitFor();
    // Three tries of 250 ms, and backoffs of 100 and 200 ms between them: to the millisecond.
    that((await page.textContent("#outcome")).startsWith("After 1050 ms and 3 attempts: timed_out"), await page.textContent("#outcome"));
    const lines = await page.locator("#timeline li").allTextContents();
    that(/^0 to 250 ms\. Attempt 1: timed_out/.test(lines[0]) && lines[1] === "250 to 350 ms. Backoff, 100 ms", lines.join("\n"));
    await set("silent", 0);
    await page.locator("#outcome", { hasText: "1 attempt: status 200" }).waitFor();
    await set("silent", 101);
    await page.locator("#outcome", { hasText: "outside its range" }).waitFor();
    await page.close();
  });

  await test("without Workers it runs on the main thread, and says so", async () => {
    const { page } = await open(browser, (page) => page.addInitScript(() => delete globalThis.Worker));
    that((await page.textContent("#where")).includes("main thread"), "where it runs");
    await page.close();
  });
});
server.stop();
finish();
