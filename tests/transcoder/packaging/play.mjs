// Opens each page in Chromium and prints, as a line of JSON, what it says when its video is over.
// Arguments: the folder that has playwright-core, the browser, a new profile's folder, the pages.
import { createRequire } from "node:module";

const [modules, browser, profile, ...pages] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");

const context = await chromium.launchPersistentContext(profile, {
  executablePath: browser,
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
  ],
});
for (const url of pages) {
  const page = await context.newPage();
  await page.goto(url);
  const told = await page
    .waitForFunction(() => window.told, null, { timeout: 40000 })
    .then((handle) => handle.jsonValue())
    .catch(async (error) => ({ error: `${error.message}; ${await page.evaluate(() => window.state())}` }));
  console.log(JSON.stringify(told));
  await page.close();
}
await context.close();
