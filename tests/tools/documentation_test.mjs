// Looks at the documentation site in Chromium:  node documentation_test.mjs [--screenshots DIR]
// Pages fit a phone, load without an error and in both palettes, and the search finds things.
// Exits with 77 where Chromium or playwright-core is missing.

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { equal, finish, test, that } from "../wasm_glue/check.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const program = process.env.CHROMIUM ?? "/usr/bin/chromium";

function chromiumOrSkip() {
  if (!fs.existsSync(program)) return skip(`no Chromium at ${program}`);
  try {
    return createRequire(path.join(root, "tests/npm/package.json"))("playwright-core").chromium;
  } catch {
    return skip("no playwright-core in tests/npm (tools/setup installs it)");
  }
}

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

const chromium = chromiumOrSkip();
const option = process.argv.indexOf("--screenshots");
const pictures = option > 0 ? path.resolve(process.argv[option + 1]) : null;
if (pictures) fs.mkdirSync(pictures, { recursive: true });
const place = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-site-"));
const site = path.join(place, "site");
execFileSync(path.join(root, "tools/site"), [site], { stdio: "inherit" });

const types = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
const server = http.createServer((request, response) => {
  const name = decodeURIComponent(new URL(request.url, "http://x").pathname);
  const file = path.join(site, name.endsWith("/") ? `${name}index.html` : name);
  const found = fs.existsSync(file);
  response.writeHead(found ? 200 : 404, { "content-type": found ? (types[path.extname(file)] ?? "text/plain") : "text/html" });
  response.end(fs.readFileSync(found ? file : path.join(site, "404.html")));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const base = `http://127.0.0.1:${server.address().port}/`;

const browser = await chromium.launch({
  executablePath: program,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"],
});
const sizes = { phone: { width: 360, height: 740 }, desktop: { width: 1440, height: 900 } };

// Opens a page and yields it with what went wrong in it.
async function open(size, scheme) {
  const context = await browser.newContext({ viewport: sizes[size], colorScheme: scheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("requestfailed", (request) => {
    const why = request.failure().errorText;  // aborted: by going to the next page
    if (why !== "net::ERR_ABORTED") errors.push(`${request.url()}: ${why}`);
  });
  page.on("request", (request) => request.url().startsWith(base) || errors.push(`asks another host: ${request.url()}`));
  return { page, errors, close: () => context.close() };
}

// Returns by how many pixels a page is wider than its window.
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

function allPages(folder = site) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return allPages(full);
    return entry.name.endsWith(".html") ? [path.relative(site, full)] : [];
  });
}

const shown = { home: "index.html", tutorial: "tutorials/tasks.html", api: "api/core/event.html" };
for (const size of Object.keys(sizes)) {
  for (const scheme of ["light", "dark"]) {
    await test(`${size}, ${scheme}: fits, without errors, legible`, async () => {
      const { page, errors, close } = await open(size, scheme);
      for (const [name, url] of Object.entries(shown)) {
        await page.goto(base + url);
        equal(await overflow(page), 0);
        const luminance = await page.evaluate(() => {
          const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
          return (r + g + b) / 765;
        });
        that(scheme === "dark" ? luminance < 0.2 : luminance > 0.9, `the background is ${luminance} in ${scheme}`);
        if (pictures) await page.screenshot({ path: path.join(pictures, `${name}-${size}-${scheme}.png`), fullPage: name !== "api" });
      }
      equal(errors.join("\n"), "");
      await close();
    });
  }
}

await test("every page fits a phone, has one heading and a title, and loads without errors", async () => {
  const { page, errors, close } = await open("phone", "light");
  const wide = [];
  for (const url of allPages().filter((url) => !url.startsWith("source/"))) {
    await page.goto(base + url, { waitUntil: "domcontentloaded" });
    const [more, headings] = await page.evaluate(() => [
      document.documentElement.scrollWidth - document.documentElement.clientWidth,
      document.querySelectorAll("h1").length,
    ]);
    if (more > 0) wide.push(`${url}: ${more} px too wide`);
    if (headings !== 1) wide.push(`${url}: ${headings} main headings`);
  }
  equal(wide.join("\n"), "");
  equal(errors.join("\n"), "");
  await close();
});

await test("text has a contrast of at least 4.5, in both palettes", async () => {
  for (const scheme of ["light", "dark"]) {
    const { page, close } = await open("desktop", scheme);
    await page.goto(base + shown.tutorial);
    const poor = await page.evaluate(() => {
      const parse = (text) => text.match(/[\d.]+/g).map(Number);
      const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
      };
      const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const colour = parse(getComputedStyle(at).backgroundColor);
          if (colour.length < 4 || colour[3] > 0.5) return colour;
        }
        return [255, 255, 255];
      };
      const found = new Set();
      for (const element of document.querySelectorAll("main *, .side *, .contents *, footer")) {
        if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
        const style = getComputedStyle(element);
        if (style.opacity === "0" || style.visibility === "hidden") continue;
        const [a, b] = [light(parse(style.color)), light(behind(element))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) found.add(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
      }
      return [...found].join("\n");
    });
    equal(poor, "");
    await close();
  }
});

await test("the search finds a symbol, a word and nothing; works by keyboard", async () => {
  const { page, errors, close } = await open("desktop", "light");
  await page.goto(base + shown.tutorial);
  await page.keyboard.press("/");
  await page.keyboard.type("with_timeout");
  await page.waitForSelector("#results [role=option]");
  that((await page.locator("#results [role=option]").first().innerText()).includes("with_timeout"), "not with_timeout first");
  if (pictures) await page.screenshot({ path: path.join(pictures, "search-desktop-light.png") });
  await page.keyboard.press("Enter");
  await page.waitForURL(/api\/timers\/timeout\.html#with_timeout/);
  await page.fill("#search", "zzzyyy");
  await page.waitForSelector("#results .none");
  await page.fill("#search", "graceful shutdown");
  await page.waitForSelector("#results [role=option]");
  equal(errors.join("\n"), "");
  await close();
});

await test("the menu of a phone opens, leads on and closes", async () => {
  const { page, close } = await open("phone", "dark");
  await page.goto(base + shown.api);
  that(!(await page.locator(".side").isVisible()), "the menu is open at first");
  await page.click(".menu");
  that(await page.locator(".side").isVisible(), "the menu did not open");
  if (pictures) await page.screenshot({ path: path.join(pictures, "menu-phone-dark.png") });
  equal(await overflow(page), 0);
  await page.click(".side .close");
  that(!(await page.locator(".side").isVisible()), "the menu did not close");
  await close();
});

await test("a page that does not exist shows the 404 page, wherever it is asked for", async () => {
  const { page, close } = await open("desktop", "light");
  const response = await page.goto(`${base}a/b/c`);
  equal(response.status(), 404);
  await page.click("main a");
  equal(page.url(), `${base}index.html`);
  await close();
});

await browser.close();
server.close();
fs.rmSync(place, { recursive: true, force: true });
finish();
