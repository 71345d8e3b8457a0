/** Languages that notebooks quote, loaded when one is met. Nobody writes cells in them. */
import { LanguageSupport, StreamLanguage } from "@codemirror/language";
import type { IEditorLanguage } from "@jupyterlab/codemirror";

type Spec = Omit<IEditorLanguage, "support"> & { readonly load: () => Promise<LanguageSupport> };

export const languageSpecs: readonly Spec[] = [
  {
    name: "javascript",
    alias: ["js"],
    mime: ["text/javascript", "application/javascript"],
    extensions: ["js", "mjs", "cjs"],
    load: async () => (await import("@codemirror/lang-javascript")).javascript(),
  },
  {
    name: "json",
    mime: ["application/json"],
    extensions: ["json", "ipynb"],
    load: async () => (await import("@codemirror/lang-json")).json(),
  },
  {
    name: "c",
    alias: ["cpp", "c++"],
    mime: ["text/x-csrc", "text/x-c++src"],
    extensions: ["c", "h", "cpp"],
    load: async () => (await import("@codemirror/lang-cpp")).cpp(),
  },
  {
    name: "asm",
    alias: ["nasm", "gas", "assembly"],
    mime: ["text/x-asm"],
    extensions: ["s", "asm"],
    load: async () => {
      const { gas } = await import("@codemirror/legacy-modes/mode/gas");
      return new LanguageSupport(StreamLanguage.define(gas));
    },
  },
];
