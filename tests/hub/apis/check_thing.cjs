// Judges a Thing Description with the playground of the Web of Things: prints what it found as JSON.
const fs = require("node:fs");
const path = require("node:path");

const modules = path.join(__dirname, "../../tidy/node_modules/@thing-description-playground");
const { tdValidator } = require(path.join(modules, "core"));
const { tdAssertions } = require(path.join(modules, "assertions"));

// It looks for its core below itself; npm has put it beside.
const beside = path.join("assertions", "node_modules", "@thing-description-playground");
const load = (name) => fs.promises.readFile(name.replace(beside + path.sep, ""), "utf-8");

async function main() {
  const text = fs.readFileSync(process.argv[2], "utf-8");
  const { report, details } = await tdValidator(text, () => {}, { checkDefaults: false, checkJsonLd: false });
  // What is no thing has no assertions to be held to: they would end the process.
  const found = report.schema === "passed" ? await tdAssertions([text], load, () => {}) : [];
  process.stdout.write(JSON.stringify({ report, details, assertions: found }));
}

main();
