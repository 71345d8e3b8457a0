/**
 * The x86 interpreter's WebAssembly bytes, base64, as generated when the package is built; undefined when the sources are run
 * directly, which then generate it. The build replaces this module in dist.
 */
export const prebuiltInterpreter: string | undefined = undefined;
