/** What the layout promises of `web/`: a test for every module, and types that follow the server. */

import { existsSync, readdirSync, readFileSync } from "node:fs";

import openapiTS, { astToString } from "openapi-typescript";
import { expect, test } from "vitest";

const TESTED_IN_A_BROWSER = new Map([
  ["decoder.worker", "runs in a worker; tests/integration/test_browser_tool.py compares its masks with the library's"],
  ["events", "binds DOM events; the browser tests press keys and buttons"],
  ["marks", "draws on a canvas; the browser tests look at it"],
  ["render", "draws on a canvas; the browser tests time it and look at it"],
  ["workbench", "joins worker, server and log; every browser test works through it"],
  ["main", "two lines that begin the page"],
]);

const modules = readdirSync("src").flatMap((name) => /^(.+)\.ts$/.exec(name)?.[1] ?? []);

test.each(modules)("%s has its mirrored test, or a reason to have none", (name) => {
  expect(existsSync(`tests/${name}.test.ts`)).toBe(!TESTED_IN_A_BROWSER.has(name));
});

test("reasons are given for modules that exist", () => {
  for (const name of TESTED_IN_A_BROWSER.keys()) expect(modules).toContain(name);
});

test.each(modules)("%s says what it is for", (name) => {
  expect(readFileSync(`src/${name}.ts`, "utf8")).toMatch(/^\/\*\*/);
});

test("the types of the server are those of its description: npm run api", async () => {
  const text = astToString(await openapiTS(new URL("../openapi.json", import.meta.url)));
  const stored = readFileSync("src/api/schema.ts", "utf8");
  expect(stored.slice(stored.indexOf("export interface paths"))).toBe(text.slice(text.indexOf("export interface paths")));
}, 30_000);
