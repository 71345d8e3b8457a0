import { describe, expect, it } from "vitest";
import { activeEnvironment, dataFolders, type Surroundings, userDataFolder } from "./jupyter-folders.js";

const linux = (environment: Surroundings["environment"] = {}): Surroundings => ({
  environment,
  platform: "linux",
  home: "/home/ada",
});

// The expected folders are what jupyter_core 5.9 gives for the same surroundings.
describe("Jupyter's data folder of a user", () => {
  it.each<[string, Surroundings, string]>([
    ["on Linux lies in the home folder", linux(), "/home/ada/.local/share/jupyter"],
    ["on Linux follows XDG_DATA_HOME", linux({ XDG_DATA_HOME: "/data" }), "/data/jupyter"],
    ["is JUPYTER_DATA_DIR where that is set", linux({ JUPYTER_DATA_DIR: "/j", XDG_DATA_HOME: "/data" }), "/j"],
    ["on macOS lies in Library", { ...linux(), platform: "darwin", home: "/Users/ada" }, "/Users/ada/Library/Jupyter"],
    [
      "on macOS is the platform's own where that is wanted",
      { environment: { JUPYTER_PLATFORM_DIRS: "1" }, platform: "darwin", home: "/Users/ada" },
      "/Users/ada/Library/Application Support/Jupyter",
    ],
    [
      "on Windows lies in APPDATA",
      { environment: { APPDATA: "C:\\Users\\ada\\AppData\\Roaming" }, platform: "win32", home: "C:\\Users\\ada" },
      "C:\\Users\\ada\\AppData\\Roaming\\jupyter",
    ],
    [
      "on Windows without APPDATA lies beside the configuration",
      { environment: {}, platform: "win32", home: "C:\\Users\\ada" },
      "C:\\Users\\ada\\.jupyter\\data",
    ],
  ])("%s", (_, around, folder) => {
    expect(userDataFolder(around)).toBe(folder);
  });
});

describe("the folders in which Jupyter looks for kernels", () => {
  const system = ["/usr/local/share/jupyter", "/usr/share/jupyter"];
  const user = "/home/ada/.local/share/jupyter";

  it("are JUPYTER_PATH, the active environment, the user and the system, in this order", () => {
    const around = linux({ JUPYTER_PATH: "/a:/b", VIRTUAL_ENV: "/venv" });
    expect(activeEnvironment(around)).toBe("/venv");
    expect(dataFolders(around)).toEqual(["/a", "/b", "/venv/share/jupyter", user, ...system]);
  });

  it("put the user before the environment where JUPYTER_PREFER_ENV_PATH says no", () => {
    const around = linux({ CONDA_PREFIX: "/conda", JUPYTER_PREFER_ENV_PATH: "No" });
    expect(dataFolders(around)).toEqual([user, "/conda/share/jupyter", ...system]);
  });
});
