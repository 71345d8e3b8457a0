/** The whole page: bar, course, the notebook that is shown, and what is said about it. */
import { MessageLoop } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { addressOf, folderOf, nameOf, pathOfAddress } from "./address.js";
import { assist, complete, inspect, selectCompletion } from "./assistance.js";
import { showCellTools } from "./cell-tools.js";
import type { PageActions } from "./commands.js";
import { Course, titleOf } from "./course.js";
import { cover } from "./cover.js";
import { askForText, confirm } from "./dialogs.js";
import { element } from "./element.js";
import { Header } from "./header.js";
import { listenToKeys } from "./keys.js";
import { emptyNotebook } from "./new-notebook.js";
import { NotANotebook, reasonOf } from "./notebook-file.js";
import { createNotebookViews, type NotebookViews } from "./notebook-view.js";
import { Notices } from "./notices.js";
import { OpenNotebook } from "./open-notebook.js";
import { Outline } from "./outline.js";
import { showPalette } from "./palette.js";
import { watchReading } from "./reading-place.js";
import { endFind, find, findNext } from "./search.js";
import type { Section } from "./sections.js";
import type { Services } from "./services.js";
import { theme } from "./theme.js";
import { watchTrouble } from "./trouble.js";

const OUTLINE_STORED = "virtlab.outline";
/** Below it the course lies over the notebook and is closed at first. */
const WIDE = matchMedia("(min-width: 60rem)");

export class Page implements PageActions {
  open: OpenNotebook | undefined;
  readonly #services: Services;
  readonly #views: NotebookViews;
  readonly #course: Course;
  readonly #outline: Outline;
  readonly #header: Header;
  readonly #notices = new Notices();
  readonly #stage = element("main", { class: "stage" });
  /** Notebooks stay open behind the one that is shown: their cells go on running. */
  readonly #opened = new Map<string, OpenNotebook>();
  #endReading = () => {};
  #endTrouble = () => {};
  #endCover = () => {};

  constructor(services: Services) {
    this.#services = services;
    this.#views = createNotebookViews(services);
    this.#course = new Course(services.contents);
    this.#header = new Header(this);
    this.#outline = new Outline({
      course: this.#course,
      go: (path) => void this.go(path),
      goToSection: (section) => this.#goToSection(section),
      newNotebook: () => this.newNotebook(),
    });
    const shade = element("div", { class: "shade", onclick: () => this.#setOutline(false) });
    document.body.append(this.#header.node, this.#outline.node, shade, this.#stage);
    this.#setOutline(WIDE.matches && remembered(OUTLINE_STORED) !== "closed");
    listenToKeys(this);
    addEventListener("popstate", () => void this.#show(pathOfAddress(location.pathname)));
    addEventListener("beforeunload", (event) => {
      if ([...this.#opened.values()].some(({ file }) => !file.isSaved)) event.preventDefault();
    });
  }

  /** Shows what the address says. */
  async start(): Promise<void> {
    await this.#show(pathOfAddress(location.pathname));
  }

  /** Goes to a folder or a notebook. */
  async go(path: string): Promise<void> {
    if (!WIDE.matches) this.#setOutline(false);
    if (path === this.open?.path) return;
    history.pushState(null, "", addressOf(path));
    await this.#show(path);
  }

  complete(): void {
    if (this.open !== undefined) complete(this.open.panel);
  }

  selectCompletion(): void {
    if (this.open !== undefined) selectCompletion(this.open.panel);
  }

  inspect(): void {
    if (this.open !== undefined) void inspect(this.open.panel);
  }

  find(): void {
    if (this.open !== undefined) find(this.open.panel);
  }

  findNext(): void {
    if (this.open !== undefined) findNext(this.open.panel);
  }

  endFind(): void {
    if (this.open !== undefined) endFind(this.open.panel);
  }

  showCommands(): void {
    showPalette(this);
  }

  toggleOutline(): void {
    const open = !document.body.classList.contains("with-outline");
    this.#setOutline(open);
    if (WIDE.matches) remember(OUTLINE_STORED, open ? "open" : "closed");
  }

  cycleTheme(): void {
    theme.cycle();
  }

  async save(): Promise<void> {
    await this.open?.file.save();
  }

  async restart(): Promise<boolean> {
    const { open } = this;
    if (open === undefined) return false;
    const alive = !["dead", "disconnected"].includes(open.kernel.value.status);
    const text = "All variables are lost. The cells and their outputs stay.";
    if (alive && !(await confirm("Restart the kernel?", text, "Restart"))) return false;
    await open.restart();
    return true;
  }

  newNotebook(): void {
    void this.#createNotebook();
  }

  async #createNotebook(): Promise<void> {
    const { path: folder, entries } = this.#course.folder.value;
    const fileOf = (text: string) => (text.endsWith(".ipynb") ? text : `${text}.ipynb`);
    const check = (text: string) => {
      if (text === "" || text.startsWith(".")) return "A notebook needs a name.";
      if (/[\\/]/.test(text)) return "A name has no slashes.";
      if (entries.some(({ name }) => name === fileOf(text))) return `There is a ${fileOf(text)} already.`;
      return undefined;
    };
    const text = await askForText("New notebook", "Its file's name", "", "Create", check);
    if (text === undefined) return;
    const path = folder === "" ? fileOf(text) : `${folder}/${fileOf(text)}`;
    try {
      const content = emptyNotebook(text.replace(/\.ipynb$/, ""));
      await this.#services.contents.save(path, { type: "notebook", format: "json", content });
      await this.#course.show(folder);
      await this.go(path);
    } catch (error) {
      const words = `${path} could not be made: ${reasonOf(error)}.`;
      this.#notices.show({ id: "new", tone: "warning", text: words, closable: true });
    }
  }

  async #show(path: string): Promise<void> {
    this.#leave();
    const isNotebook = path.endsWith(".ipynb");
    const folder = isNotebook ? folderOf(path) : path;
    document.title = `${path === "" ? "Notebooks" : nameOf(path)} · virtlab`;
    if (isNotebook) await this.#showNotebook(path);
    const listing = this.#showFolder(folder);
    if (!isNotebook) this.#showCover();
    await listing;
  }

  async #showFolder(folder: string): Promise<void> {
    try {
      await this.#course.show(folder);
    } catch (error) {
      this.#course.folder.set({ path: folder, folders: [], entries: [], problem: `${folder}: ${reasonOf(error)}.` });
    }
  }

  async #showNotebook(path: string): Promise<void> {
    let open = this.#opened.get(path);
    this.#stage.setAttribute("aria-busy", "true");
    try {
      open ??= await this.#openNotebook(path);
    } catch (error) {
      this.#showProblem(path, error);
      return;
    } finally {
      this.#stage.removeAttribute("aria-busy");
    }
    // Somebody who is quick has gone on to another.
    if (pathOfAddress(location.pathname) !== path) return;
    this.open = open;
    this.#header.show(open);
    this.#outline.openPath = path;
    this.#notices.clear();
    const room = element("div", { class: "room" });
    this.#stage.replaceChildren(this.#notices.node, room);
    Widget.attach(open.panel, room);
    open.notebook.activate();
    this.#endReading = watchReading(open.notebook, this.#course, path, (index) => {
      this.#outline.section = index;
    });
    this.#endTrouble = watchTrouble(open, this.#notices);
  }

  async #openNotebook(path: string): Promise<OpenNotebook> {
    const open = await OpenNotebook.open(path, this.#services, this.#views);
    this.#opened.set(path, open);
    assist(open.panel);
    showCellTools(open.notebook, this);
    open.summary.observe((summary) => {
      this.#course.tell(path, summary);
      if (this.open === open) document.title = `${titleOf({ path, summary })} · virtlab`;
    });
    open.panel.toolbar.hide();
    // Lumino lays out what is inside of a notebook by itself, when it is told that its room has changed.
    const tell = () => open.panel.isAttached && MessageLoop.sendMessage(open.panel, Widget.ResizeMessage.UnknownSize);
    new ResizeObserver(tell).observe(open.panel.node);
    return open;
  }

  #leave(): void {
    this.#endReading();
    this.#endTrouble();
    this.#endCover();
    this.#header.show(undefined);
    this.#outline.openPath = undefined;
    if (this.open === undefined) return;
    void this.open.file.save();
    if (this.open.panel.isAttached) Widget.detach(this.open.panel);
    this.open = undefined;
  }

  #showCover(): void {
    const { node, end } = cover(this.#course, {
      go: (path) => void this.go(path),
      newNotebook: () => this.newNotebook(),
    });
    this.#endCover = end;
    this.#stage.replaceChildren(this.#notices.node, node);
  }

  #showProblem(path: string, error: unknown): void {
    const text = error instanceof NotANotebook ? error.message : `${path} cannot be opened: ${reasonOf(error)}.`;
    this.#stage.replaceChildren(
      element(
        "div",
        { class: "cover problem", role: "alert" },
        element("h1", {}, "This did not open"),
        element("p", {}, text),
      ),
    );
  }

  #goToSection(section: Section): void {
    if (!WIDE.matches) this.#setOutline(false);
    const notebook = this.open?.notebook;
    const cell = notebook?.widgets[section.cell];
    if (notebook === undefined || cell === undefined) return;
    notebook.activeCellIndex = section.cell;
    notebook.deselectAll();
    void notebook.scrollToItem(section.cell, "start").then(() => cell.node.scrollIntoView({ block: "start" }));
    notebook.node.focus();
  }

  #setOutline(open: boolean): void {
    document.body.classList.toggle("with-outline", open);
    this.#outline.node.toggleAttribute("inert", !open);
    document.querySelector('[data-command="outline"]')?.setAttribute("aria-expanded", String(open));
  }
}

function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Then it is as it was at the next start.
  }
}
