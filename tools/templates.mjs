// Creates projects from templates, outside of this workspace and from the crates as they would
// be published, and builds each with the command in its own wrangler.toml: if it has tests, as
// these have it built.
//
//   node tools/templates.mjs <folder for the projects>

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, isMain, main, root, run, say } from './shell.mjs';
import { create } from './new.mjs';
import { tarball } from './npm-package.mjs';
import { packCrates } from './package.mjs';
import { modernNode, setUpBuild } from './setup.mjs';

/** The projects by name, and their templates. */
const projects = { 'first-chat': 'rust', 'first-gateway': 'gateway' };

/** Builds the projects in a folder. */
export async function buildProjects(folder) {
  const tools = await setUpBuild();
  const crates = await packCrates();
  for (const [name, template] of Object.entries(projects)) {
    const project = path.join(folder, name);
    create(project, { template, crates });
    say(`building a project from templates/${template}`);
    await buildProject(project, template, tools);
  }
}

async function buildProject(project, template, { workerBuild, env }) {
  const command = withoutInstallation(path.join(project, 'wrangler.toml'));
  const [program, ...args] = (await installTests(project)) ?? ['sh', '-c', command];
  await run(program, args, {
    cwd: project,
    env: {
      ...env,
      PATH: `${path.dirname(workerBuild)}${path.delimiter}${process.env.PATH}`,
      // What both need is compiled once.
      CARGO_TARGET_DIR: path.join(root, 'target'),
    },
    orElse: `a project from templates/${template} does not build, see above`,
  });
}

/** Takes the installation of worker-build, which is here, out of how the project is built. Returns what is left. */
function withoutInstallation(file) {
  const text = readFileSync(file, 'utf8');
  const found = /^command = """\ncargo install -q worker-build@\S+ &&\n(.*?)"""/ms.exec(text);
  if (!found) throw new Failure(`${file} does not begin its build with \`cargo install -q worker-build\``);
  writeFileSync(file, text.replace(found[0], `command = """\n${found[1]}"""`));
  return found[1];
}

/**
 * Gives a project that is tested with dormouse-test that package, from its tarball, and the
 * others that its tests need, which are here. Returns the command that builds it for them.
 */
async function installTests(project) {
  const file = path.join(project, 'package.json');
  const { devDependencies = {} } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  if (!('dormouse-test' in devDependencies)) return undefined;
  const modules = path.join(project, 'node_modules');
  const ours = path.join(modules, 'dormouse-test');
  mkdirSync(ours, { recursive: true });
  await run('tar', ['-xzf', tarball('dormouse-test'), '-C', ours, '--strip-components=1']);
  for (const name of Object.keys(devDependencies).filter((name) => name !== 'dormouse-test')) {
    symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name), 'dir');
  }
  return [await modernNode(), path.join(ours, 'src/cli.mjs'), 'build', '--release'];
}

if (isMain(import.meta)) {
  await main(() => buildProjects(path.resolve(process.argv[2])));
}
