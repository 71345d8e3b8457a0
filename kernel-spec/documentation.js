// What the compiler knows of a name, as a mime bundle: its type, its description, its tags.
// Manual: Messaging in Jupyter, "Introspection"; TypeScript's QuickInfo.

/** Text for consoles and Markdown for pages. */
function documentation({ displayParts = [], documentation: description = [], tags = [] }) {
  const type = textOf(displayParts);
  const words = textOf(description);
  const plain = [type, words, ...tags.map(({ name, text }) => `@${name} ${textOf(text)}`)];
  const marked = [`\`\`\`typescript\n${type}\n\`\`\``, words, ...tags.map(markedTag)];
  const joined = (parts) => parts.filter((part) => part !== "").join("\n\n");
  return { "text/plain": joined(plain), "text/markdown": joined(marked) };
}

function markedTag({ name, text = [] }) {
  if (name === "param") {
    const parameter = text.find(({ kind }) => kind === "parameterName")?.text ?? "";
    const rest = textOf(text).slice(parameter.length).trim();
    return `**${parameter}**: ${rest.replace(/^[-–—]\s*/, "")}`;
  }
  if (name === "example") return `\`\`\`typescript\n${textOf(text)}\n\`\`\``;
  return `**${name}** ${textOf(text)}`.trim();
}

function textOf(parts = []) {
  return parts.map(({ text }) => text).join("");
}

module.exports = { documentation };
