// `npm run new -- <directory> [--gateway | --typescript]`: a project of your own from a
// template, which builds and tests against this clone as long as its crates and npm packages
// are not published. The directory's name is the project's. A template is a project as it
// stands, for `cargo generate`, for `npm create cloudflare` and for `cp`.

import { appendFileSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, isMain, main, root, say } from './shell.mjs';
import { pack, tarball } from './npm-package.mjs';
import { isCrate, packages, templates } from './versions.mjs';

/** The names of the projects that the templates are. */
const NAMES = /my-worker|dormouse-gateway/g;

/** What has been made in a template, and is not part of it. */
const MADE = [
  ...['build', 'node_modules', 'target', 'Cargo.lock', 'package-lock.json', '.wrangler', '.dev.vars', 'secret.env'],
  'public/socket.io.esm.min.js',
];

/** The crates of this clone, by name. */
const HERE = { dormouse: path.join(root, 'src/server'), 'dormouse-proto': path.join(root, 'src/proto') };

/** Where the npm packages of this clone are, by name. One has to be built, and is packed then. */
const PACKAGES = {
  'dormouse-io': () => tarball('dormouse-io'),
  'dormouse-test': () => path.join(root, packages['dormouse-test']),
};

/** Creates a project that takes these crates, and the npm packages of this clone, instead of those that are published. */
export function create(directory, { template = 'rust', crates = HERE } = {}) {
  const name = path.basename(directory);
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(name)) {
    throw new Failure(`“${name}” cannot be the name of a Worker: use lower-case letters, digits and hyphens`);
  }
  const from = path.join(root, templates[template]);
  if (existsSync(directory) && readdirSync(directory).length > 0) throw new Failure(`${directory} is not empty`);
  const filter = (file) => !MADE.includes(path.relative(from, file));
  cpSync(from, directory, { recursive: true, filter });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) rename(path.join(entry.parentPath, entry.name), name);
  }
  if (isCrate(templates[template])) takeCrates(directory, crates);
  takePackages(path.join(directory, 'package.json'));
}

function takeCrates(directory, crates) {
  // The versions that are tested here, which the build tools have to fit.
  copyFileSync(path.join(root, 'Cargo.lock'), path.join(directory, 'Cargo.lock'));
  const patches = Object.entries(crates).map(([crate, folder]) => `${crate} = { path = ${JSON.stringify(folder)} }\n`);
  mkdirSync(path.join(directory, '.cargo'), { recursive: true });
  appendFileSync(path.join(directory, '.cargo', 'config.toml'), `[patch.crates-io]\n${patches.join('')}`);
}

function takePackages(file) {
  const text = readFileSync(file, 'utf8');
  const names = new RegExp(`("(${Object.keys(PACKAGES).join('|')})": )"\\^[^"]*"`, 'g');
  writeFileSync(file, text.replace(names, (_, key, name) => `${key}${JSON.stringify(`file:${PACKAGES[name]()}`)}`));
}

function rename(file, name) {
  const text = readFileSync(file, 'utf8');
  const renamed = text.replace(NAMES, name);
  if (renamed !== text) writeFileSync(file, renamed);
}

if (isMain(import.meta)) {
  await main(async () => {
    const args = process.argv.slice(2);
    const [option, ...options] = args.filter((arg) => arg.startsWith('--'));
    const [directory, ...rest] = args.filter((arg) => !arg.startsWith('--'));
    const template = option?.slice(2) ?? 'rust';
    if (!directory || rest.length > 0 || options.length > 0 || !(template in templates)) {
      throw new Failure('`npm run new -- <directory> [--gateway | --typescript]` takes a directory that is not there yet');
    }
    if (template === 'typescript') await pack({ names: ['dormouse-io'] });
    create(path.resolve(directory), { template });
    say(`${directory} is a Worker of your own: its README.md says how to start it`);
  });
}
