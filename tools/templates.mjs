// Creates a project from each template, outside of this workspace and from the crates as
// they would be published, and builds it with the command in its own wrangler.toml.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Failure, root, run, say } from './shell.mjs';
import { create } from './new.mjs';
import { packCrates } from './package.mjs';
import { setUpBuild } from './setup.mjs';

let packed;

/** Builds a project named `name` from the template, and gives its folder to `use`. */
export async function withProject(name, template, use) {
  const { workerBuild, env } = await setUpBuild();
  packed ??= packCrates();
  const crates = await packed;
  const parent = mkdtempSync(path.join(os.tmpdir(), 'dormouse-'));
  try {
    const project = path.join(parent, name);
    create(project, { template, crates });
    say(`building a project from templates/${template}`);
    await run('sh', ['-c', buildCommand(project)], {
      cwd: project,
      env: {
        ...env,
        PATH: `${path.dirname(workerBuild)}${path.delimiter}${process.env.PATH}`,
        // What both need is compiled once.
        CARGO_TARGET_DIR: path.join(root, 'target'),
      },
      orElse: `a project from templates/${template} does not build, see above`,
    });
    return await use(project);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** Returns how the project says that it is built, but for the installation of worker-build, which is here. */
function buildCommand(project) {
  const configuration = readFileSync(path.join(project, 'wrangler.toml'), 'utf8');
  const command = /^command = """\ncargo install -q worker-build@\S+ &&\n(.*?)"""/ms.exec(configuration)?.[1];
  if (!command) throw new Failure(`${project}/wrangler.toml does not begin its build with \`cargo install -q worker-build\``);
  return command;
}
