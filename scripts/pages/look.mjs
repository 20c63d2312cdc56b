// Looks at pages in Chromium as people see them: wide and narrow, light and dark, everything unfolded.
//
// Usage: node look.mjs CHROMIUM URL PATH...     prints what is wrong, a line each; without PATHs nothing is looked at
//
// Wrong is what axe finds, what the browser says on its console (such as breaches of the page's policy), a request to
// another host, and a page that is wider than its window.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const [executablePath, base, ...paths] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const views = [
  { name: "light", width: 1440, scheme: "light" },
  { name: "dark", width: 1440, scheme: "dark" },
  { name: "tablet", width: 1000, scheme: "light" },
  { name: "phone", width: 375, scheme: "light" },
  { name: "phone, dark", width: 375, scheme: "dark" },
];

// Chromium as root, as in containers, has no sandbox; it sees nothing but our own pages.
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox"], protocolTimeout: 600_000 });
const faults = [];
try {
  for (const path of paths) {
    for (const { name, width, scheme } of views) await look(path, name, width, scheme);
  }
  await use(paths[0]);
} finally {
  await browser.close();
}
console.log(faults.join("\n"));
process.exitCode = faults.length ? 1 : 0;

async function opened(path, told) {
  const page = await browser.newPage();
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && told(message.text()));
  page.on("pageerror", (error) => told(String(error)));
  page.on("request", (request) => request.url().startsWith(base) || told(`asks for ${request.url()}`));
  await page.goto(base + path);
  return page;
}

async function look(path, name, width, scheme) {
  const told = (fault) => faults.push(`${path} (${name}): ${fault}`);
  const page = await opened(path, told);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.evaluate(() => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
  // By then, what unfolds has unfolded.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 500)));
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (excess > 0) told(`is ${excess} pixels wider than its window`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of found.violations) told(`${id}: ${help} (${nodes.length}): ${nodes[0].html.slice(0, 200)}`);
  await page.close();
}

/** Uses the reference as a reader does: searches, chooses a language, unfolds a schema, follows an old address. */
async function use(path) {
  const told = (fault) => faults.push(`${path}: ${fault}`);
  const page = await opened(path, told);
  const shown = (selector) => page.$$eval(selector, (all) => all.filter((each) => each.checkVisibility()).length);
  const expect = (fact, otherwise) => fact || told(otherwise);
  await page.setViewport({ width: 1440, height: 900 });

  const everything = await shown("nav li");
  await page.keyboard.press("/");
  await page.keyboard.type("create_ticket");
  const found = await shown("nav li");
  expect(found >= 1 && found < everything / 4, `a search for an operation shows ${found} of ${everything}`);
  await page.keyboard.press("Enter");
  expect(page.url().endsWith("#create_ticket"), `Enter leads to ${page.url()}`);
  await page.keyboard.press("Escape");
  expect((await shown("nav li")) === everything, "Escape does not end the search");

  expect((await shown(".sample[data-language=Go]")) === 0, "all languages are shown");
  await page.$$eval(".languages button", (all) => all.find((each) => each.textContent === "Go").click());
  expect((await shown(".sample[data-language=Go]")) > 40, "a language that was chosen is not shown everywhere");
  expect((await shown(".sample[data-language=curl]")) === 0, "another language is still shown");
  await page.reload();
  expect((await shown(".sample[data-language=Go]")) > 40, "the language is forgotten");

  const fields = await page.$eval("#get_ticket .answers details:has(> summary)", (details) => {
    const unfolding = [...details.closest(".text").querySelectorAll("details")].find((each) => /Fields of Ticket/.test(each.textContent));
    unfolding.open = true;
    return new Promise((done) => setTimeout(() => done(unfolding.querySelectorAll("dt").length), 500));
  });
  expect(fields > 10, `a schema unfolds to ${fields} fields`);

  await page.goto(`${base}${path}#/Tickets/update_ticket`);
  await page.reload();
  expect(page.url().endsWith("#update_ticket"), `an address of Swagger UI leads to ${page.url()}`);

  await page.setJavaScriptEnabled(false);
  await page.goto(base + path);
  expect((await page.$$("#create_ticket .sample")).length === 4, "without JavaScript there is no code");
  await page.close();
}
