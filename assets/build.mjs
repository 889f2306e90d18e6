// Bundle src/ into the folder that the web process serves, with a hash in each name.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';

const out = '../qa/web/static/dist';
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const result = await build({
  entryPoints: ['src/js/app.js', 'src/js/theme.js', 'src/js/workspace.js', 'src/css/candor.css'],
  bundle: true,
  format: 'esm',
  splitting: true,
  minify: true,
  target: 'es2022',
  entryNames: '[name]-[hash]',
  outdir: out,
  metafile: true,
});

const manifest = {};
for (const [file, made] of Object.entries(result.metafile.outputs))
  if (made.entryPoint) manifest[basename(made.entryPoint)] = basename(file);

const sprite = await readFile('src/icons.svg');
const name = `icons-${createHash('sha256').update(sprite).digest('hex').slice(0, 8)}.svg`;
await writeFile(`${out}/${name}`, sprite);
manifest['icons.svg'] = name;
await writeFile(`${out}/manifest.json`, JSON.stringify(manifest, null, 1));
