/** JSON as the content of an element that shows and runs nothing. */

/** The value as JSON in which no tag, comment or entity can begin or end. */
export const inertJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
