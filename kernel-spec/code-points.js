// Jupyter counts a cursor's place in code points, JavaScript in units of UTF-16.
// Manual: Messaging in Jupyter, "cursor_pos and unicode offsets".

/** The index in UTF-16 units of a place in code points. */
function unitsOf(text, codePoints) {
  return [...text].slice(0, codePoints).join("").length;
}

/** The place in code points of an index in UTF-16 units. */
function codePointsOf(text, units) {
  return [...text.slice(0, units)].length;
}

module.exports = { codePointsOf, unitsOf };
