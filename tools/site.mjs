// `npm run site`: the documents of docs/ as a site in target/site, with mdBook, and with
// llms.txt and the pages' own text for programs that read. What docs/ links to elsewhere in
// the repository leads to the address that Cargo.toml names.

import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, isMain, main, root, run, say } from './shell.mjs';
import { ensurePython } from './setup.mjs';

const docs = path.join(root, 'docs');
export const site = path.join(root, 'target', 'site');

/** Builds the site. */
export async function buildSite() {
  const python = await ensurePython('requirements-site.txt', '.venv-site');
  rmSync(site, { recursive: true, force: true });
  await run(path.join(path.dirname(python), 'mdbook'), ['build', docs], { orElse: 'mdBook does not build the site, see above' });
  rmSync(path.join(site, 'book.toml'));
  for (const name of readdirSync(site)) {
    if (name.endsWith('.html')) linkToRepository(path.join(site, name));
  }
  const pages = chapters();
  for (const { file } of pages) copyFileSync(path.join(docs, file), path.join(site, file));
  writeFileSync(path.join(site, 'llms.txt'), llms(pages));
}

/** mdBook takes a link to a document outside of docs/ for one to a page. */
function linkToRepository(file) {
  const repository = /^repository = "(.*)"/m.exec(readFileSync(path.join(root, 'Cargo.toml'), 'utf8'))[1];
  const html = readFileSync(file, 'utf8').replace(/(href|src)="\.\.\/([^"#]+)(#[^"]*)?"/g, (_, attribute, target, anchor = '') => {
    const name = [target, target.replace(/\.html$/, '.md'), target.replace(/index\.html$/, 'README.md')].find((name) =>
      existsSync(path.join(root, name)),
    );
    if (!name) throw new Failure(`${path.basename(file)} links to ${target}, which does not exist`);
    return `${attribute}="${repository}/blob/main/${name}${anchor}"`;
  });
  writeFileSync(file, html);
}

/** Returns the pages in SUMMARY.md, each with its title and first paragraph. */
function chapters() {
  const summary = readFileSync(path.join(docs, 'SUMMARY.md'), 'utf8');
  return [...summary.matchAll(/\[([^\]]+)\]\(([^)]+\.md)\)/g)].map(([, title, file]) => {
    const [, paragraph] = /^# .*\n\n([A-Z`\[].*)\n/.exec(readFileSync(path.join(docs, file), 'utf8')) ?? [];
    if (!paragraph) throw new Failure(`docs/${file} has to begin with its title, and a paragraph that says what it is about`);
    return { title, file, about: paragraph.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1').split(/(?<=\.) /)[0] };
  });
}

/** Returns the list of pages in the form of llmstxt.org. */
function llms([first, ...pages]) {
  const list = pages.map(({ title, file, about }) => `- [${title}](${file}): ${about}\n`);
  return `# ${first.title}\n\n> ${first.about}\n\n## Pages\n\n${list.join('')}`;
}

if (isMain(import.meta)) {
  await main(async () => {
    await buildSite();
    say(`the site is in ${path.relative(root, site)}: open index.html there`);
  });
}
