/** Opens a page in headless Chromium and gives what it has become. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runProcess } from "./processes.js";

/** The document of a page file as HTML, after its scripts have run. `folder` holds the browser's profile. */
export async function documentOf(chromium: string, page: string, folder: string): Promise<string> {
  const { stdout, stderr } = await runProcess(chromium, [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ...[`--user-data-dir=${join(folder, "profile")}`, "--dump-dom", pathToFileURL(page).href],
  ]);
  if (!stdout.includes("</html>")) throw new Error(`chromium showed no page: ${stderr.slice(-500)}`);
  return stdout;
}
