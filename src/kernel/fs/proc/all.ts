/** All of /proc: the type, and the tables of its files. */
import "./memory.js";
import "./places.js";
import "./procfs.js";
import "./settings.js";
import "./status.js";
import "./system.js";
// What others have shown in general is shown by this one as it is.
import "./namespaces.js";
