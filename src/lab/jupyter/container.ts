/**
 * What JupyterLab 4 and Notebook 7 load of the extension first: a container of module federation, by hand. It has one
 * module, the renderer, and takes JupyterLab's own @lumino/widgets, because a widget of another copy would not be one of
 * its own. A classic script. Manual: webpack, "Module Federation", dynamic remote containers; JupyterLab, "Extension
 * Developer Guide", prebuilt extensions.
 */

/** A module that the application shares: `get` gives what makes it. */
interface SharedModule {
  readonly get: () => Promise<() => unknown>;
  /** Set for the version that is in use. */
  readonly loaded?: unknown;
}

/** Shared modules by name and version. */
type ShareScope = Readonly<Record<string, Readonly<Record<string, SharedModule>>>>;

/** The extension's name and the file with its renderer; put in when it is built. */
declare const EXTENSION_NAME: string;
declare const RENDERER_FILE: string;

const WIDGETS = "@lumino/widgets";
const MODULE = "./mimeExtension";
const here = (document.currentScript as HTMLScriptElement).src;

/** The version in use, else the newest, which is what the application takes. */
function chosen(versions: Readonly<Record<string, SharedModule>>): SharedModule | undefined {
  const inOrder = Object.keys(versions).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const name = inOrder.find((version) => versions[version]?.loaded) ?? inOrder.at(-1);
  return name === undefined ? undefined : versions[name];
}

function createContainer() {
  let scope: ShareScope = {};
  return {
    /** JupyterLab's modules, for the renderer's own imports. */
    modules: {} as Record<string, unknown>,

    init(shared: ShareScope): void {
      scope = shared;
    },

    async get(name: string): Promise<() => unknown> {
      const widgets = chosen(scope[WIDGETS] ?? {});
      if (name !== MODULE) throw new Error(`${EXTENSION_NAME}: there is no module ${name}`);
      if (widgets === undefined) throw new Error(`${EXTENSION_NAME}: this JupyterLab does not share ${WIDGETS}`);
      this.modules[WIDGETS] = (await widgets.get())();
      const { extension } = (await import(new URL(RENDERER_FILE, here).href)) as { readonly extension: unknown };
      return () => ({ __esModule: true, default: extension });
    },
  };
}

const page = window as { _JUPYTERLAB?: Record<string, unknown> };
page._JUPYTERLAB ??= {};
page._JUPYTERLAB[EXTENSION_NAME] = createContainer();
