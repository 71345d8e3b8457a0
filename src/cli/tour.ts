/** `virtlab tour`: runs the tour notebook and says where its page is. */
import path from "node:path";
import { Command } from "commander";
import { runNotebooks } from "./notebook.js";

export function tourCommand(): Command {
  return new Command("tour").description("run the tour notebook and say where to read it").action(async () => {
    const root = path.join(__dirname, "../..");
    const folder = path.resolve(".virtlab");
    const status = await runNotebooks([path.join(root, "notebooks/00-tour.ipynb")], { outputDir: folder });
    process.stderr.write("", () => process.exit(status));
  });
}
