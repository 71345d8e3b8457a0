/**
 * Where Jupyter keeps its data and looks for kernels, without asking Python. Python's user base and an environment that
 * is not activated are left out. Manual: Jupyter, "Common Directories and File Locations", and jupyter_core, paths.
 */
import { homedir } from "node:os";
import path from "node:path";

/** What of a computer decides about the folders. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly home: string;
}

export function surroundings(): Surroundings {
  return { environment: process.env, platform: process.platform, home: homedir() };
}

/** The data folder of this user. */
export function userDataFolder({ environment, platform, home }: Surroundings): string {
  const { join } = platform === "win32" ? path.win32 : path.posix;
  const named = environment["JUPYTER_DATA_DIR"];
  if (named) return named;
  const byPlatform = isSet(environment["JUPYTER_PLATFORM_DIRS"]);
  if (platform === "darwin") {
    return byPlatform ? join(home, "Library", "Application Support", "Jupyter") : join(home, "Library", "Jupyter");
  }
  if (platform === "win32") {
    if (byPlatform) return join(environment["LOCALAPPDATA"] || join(home, "AppData", "Local"), "Jupyter");
    const roaming = environment["APPDATA"];
    return roaming
      ? join(roaming, "jupyter")
      : join(environment["JUPYTER_CONFIG_DIR"] || join(home, ".jupyter"), "data");
  }
  return join(environment["XDG_DATA_HOME"] || join(home, ".local", "share"), "jupyter");
}

/** The data folder of a Python installation or environment, such as sys.prefix. */
export function prefixDataFolder(prefix: string): string {
  return path.join(prefix, "share", "jupyter");
}

/** The active virtual or Conda environment; undefined when there is none. */
export function activeEnvironment({ environment }: Surroundings): string | undefined {
  return environment["VIRTUAL_ENV"] || environment["CONDA_PREFIX"] || undefined;
}

/** All data folders in the order in which Jupyter looks through them. */
export function dataFolders(around: Surroundings): string[] {
  const { environment, platform } = around;
  const separator = platform === "win32" ? ";" : ":";
  const named = (environment["JUPYTER_PATH"] ?? "").split(separator).filter((folder) => folder !== "");
  const active = activeEnvironment(around);
  const ofEnvironment = active === undefined ? [] : [prefixDataFolder(active)];
  const user = [userDataFolder(around)];
  const system = platform === "win32" ? [] : ["/usr/local/share/jupyter", "/usr/share/jupyter"];
  // Jupyter that runs in an environment puts it first, unless the user has said otherwise.
  const preferred = environment["JUPYTER_PREFER_ENV_PATH"];
  const environmentFirst = preferred === undefined || isSet(preferred);
  const own = environmentFirst ? [...ofEnvironment, ...user] : [...user, ...ofEnvironment];
  return [...new Set([...named, ...own, ...system])];
}

/** Jupyter's reading of a switch in the environment. */
function isSet(value: string | undefined): boolean {
  return value !== undefined && !["no", "n", "false", "off", "0", "0.0"].includes(value.toLowerCase());
}
