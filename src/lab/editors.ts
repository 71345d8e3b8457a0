/** The editors of cells: languages, what CodeMirror extends them with, and how they look. */
import { javascript } from "@codemirror/lang-javascript";
import { markdown } from "@codemirror/lang-markdown";
import type { IYText } from "@jupyter/ydoc";
import type { IEditorServices } from "@jupyterlab/codeeditor";
import {
  CodeMirrorEditorFactory,
  CodeMirrorMimeTypeService,
  EditorExtensionRegistry,
  EditorLanguageRegistry,
  EditorThemeRegistry,
  ybinding,
} from "@jupyterlab/codemirror";
import { languageSpecs } from "./languages.js";
import { typeErrorMarks } from "./type-errors.js";

export interface Editors {
  readonly languages: EditorLanguageRegistry;
  readonly services: IEditorServices;
}

export function createEditors(): Editors {
  const languages = new EditorLanguageRegistry();
  languages.addLanguage({
    name: "typescript",
    alias: ["ts"],
    mime: ["text/x-typescript", "text/typescript", "application/typescript"],
    extensions: ["ts", "mts", "cts"],
    support: javascript({ typescript: true }),
  });
  languages.addLanguage({
    name: "ipythongfm",
    mime: "text/x-ipythongfm",
    support: markdown({ codeLanguages: (name) => languages.findBest(name)?.support?.language ?? null }),
  });
  for (const language of languageSpecs) languages.addLanguage(language);
  const extensions = editorExtensions();
  const factory = new CodeMirrorEditorFactory({ extensions, languages });
  return {
    languages,
    services: {
      factoryService: {
        newInlineEditor: factory.newInlineEditor,
        newDocumentEditor: factory.newDocumentEditor,
      },
      mimeTypeService: new CodeMirrorMimeTypeService(languages),
    },
  };
}

function editorExtensions(): EditorExtensionRegistry {
  const registry = new EditorExtensionRegistry();
  const themes = new EditorThemeRegistry();
  for (const extension of EditorExtensionRegistry.getDefaultExtensions({ themes })) registry.addExtension(extension);
  registry.addExtension({
    name: "shared-model-binding",
    factory: ({ model }) => {
      const { ysource, undoManager } = model.sharedModel as IYText;
      const binding = ybinding({ ytext: ysource, ...(undoManager === null ? {} : { undoManager }) });
      return EditorExtensionRegistry.createImmutableExtension(binding);
    },
  });
  registry.addExtension({
    name: "type-errors",
    factory: ({ model }) => EditorExtensionRegistry.createImmutableExtension(typeErrorMarks(model)),
  });
  return registry;
}
