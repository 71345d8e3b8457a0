/** The lab: notebooks in the browser. */
import "@jupyterlab/notebook/style/index.js";
import "@jupyterlab/completer/style/index.js";
import "@jupyterlab/tooltip/style/index.js";
import "@jupyterlab/theme-light-extension/style/variables.css";
import "@jupyterlab/theme-dark-extension/style/variables.css";
import "./style/tokens.css";
import "./style/shell.css";
import "./style/cover.css";
import "./style/outline.css";
import "./style/notebook.css";
import "./style/editor.css";
import "./style/outputs.css";
import "./style/dialogs.css";
import { Page } from "./page.js";
import { connectServices } from "./services.js";

void new Page(connectServices()).start();
