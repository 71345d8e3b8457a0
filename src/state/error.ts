/** The one error class for bad input and misuse: its message is one clear line that says what, where and why. */
export class VirtlabError extends Error {
  override readonly name = "VirtlabError";
}
