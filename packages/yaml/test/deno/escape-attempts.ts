/** One way a script may try to get out. */
export interface Attempt {
  readonly name: string;
  /**
   * The body of an async function. What it returns, if it gets there, is what it got hold of; anything but a throw or `undefined` is an
   * escape. `secretFile` and `secretJson` are files outside of all grants, `folder` is a granted one, `port` is one of a server on this machine.
   */
  readonly run: string;
  /** It may bring its process down, which is as good as a refusal: it needs one of its own. */
  readonly alone?: boolean;
}

const files: Readonly<Record<string, string>> = {
  "reads a file": "return await Deno.readTextFile(secretFile)",
  "reads a file, synchronously": "return Deno.readFileSync(secretFile)",
  "opens a file": "return await Deno.open(secretFile)",
  "reads it by the short form": "return await readFile(secretFile)",
  "reads it by node:fs": "return (await import('node:fs')).readFileSync(secretFile, 'utf8')",
  "reads it by node:fs/promises": "return await (await import('node:fs/promises')).readFile(secretFile)",
  "fetches it": "return await (await fetch('file://' + secretFile)).text()",
  "reads it through a granted folder and ..": "return await Deno.readTextFile(folder + '/../secret.txt')",
  "reads it with a doubled slash": "return await Deno.readTextFile('/' + secretFile)",
  "reads it through /proc/self/root": "return await Deno.readTextFile('/proc/self/root' + secretFile)",
  "reads its own environment in /proc": "return await Deno.readTextFile('/proc/self/environ')",
  "reads the host's environment in /proc": "return await Deno.readTextFile('/proc/' + hostPid + '/environ')",
  "reads its memory": "return await Deno.open('/proc/self/mem')",
  "reads its own descriptors": "return [...Deno.readDirSync('/proc/self/fd')]",
  "opens a descriptor": "return await Deno.open('/dev/fd/3')",
  "lists the root": "return [...Deno.readDirSync('/')]",
  "asks for a file's size": "return await Deno.stat(secretFile)",
  "asks whether a file is there": "return (await import('node:fs')).statSync(secretFile)",
  "resolves a path": "return await Deno.realPath('.')",
  "links out of the granted folder":
    "Deno.symlinkSync(secretFile, folder + '/link'); return Deno.readTextFileSync(folder + '/link')",
  "links a file hard": "Deno.linkSync(secretFile, folder + '/hard'); return Deno.readTextFileSync(folder + '/hard')",
  "renames a file into the granted folder":
    "Deno.renameSync(secretFile, folder + '/got'); return Deno.readTextFileSync(folder + '/got')",
  "copies a file into it":
    "Deno.copyFileSync(secretFile, folder + '/copy'); return Deno.readTextFileSync(folder + '/copy')",
  "writes a file": "Deno.writeTextFileSync(secretFile + '.new', 'x'); return 'written'",
  "writes into its working folder": "Deno.writeTextFileSync('x', 'x'); return 'written'",
  "makes a temporary file": "return Deno.makeTempFileSync()",
  "removes a file": "Deno.removeSync(secretFile); return 'removed'",
  "changes the mode of a file": "Deno.chmodSync(secretFile, 0o777); return 'changed'",
  "watches a file": "return Deno.watchFs(secretFile)",
  "changes its working folder": "Deno.chdir('/'); return Deno.cwd()",
  "opens a database": "const { DatabaseSync } = await import('node:sqlite'); return new DatabaseSync(secretFile)",
  "attaches a database":
    "const { DatabaseSync } = await import('node:sqlite'); const db = new DatabaseSync(':memory:'); db.exec(`ATTACH '${folder}/../new.db' AS x; CREATE TABLE x.t(a)`); return 'attached'",
  "requires a file":
    "const { createRequire } = await import('node:module'); return createRequire('file:///')(secretJson)",
  "loads an environment file": "process.loadEnvFile(secretFile); return process.env",
  "loads a key for TLS from a file":
    "return (await import('node:tls')).createSecureContext({ ca: (await import('node:fs')).readFileSync(secretFile) })",
};

const imports: Readonly<Record<string, string>> = {
  "imports JSON": "return (await import('file://' + secretJson, { with: { type: 'json' } })).default",
  "imports text": "return (await import('file://' + secretFile, { with: { type: 'text' } })).default",
  "imports bytes": "return (await import('file://' + secretFile, { with: { type: 'bytes' } })).default",
  "imports a module file": "return await import('file://' + folder + '/../module.ts')",
  "imports from an import host": "return await import('https://deno.land/std@0.224.0/version.ts')",
  "imports from raw content": "return await import('https://raw.githubusercontent.com/denoland/deno/main/README.md')",
  "imports by jsr": "return await import('jsr:@std/path')",
  "imports by npm": "return await import('npm:left-pad@1.3.0')",
  "imports from a server here": "return await import(`http://127.0.0.1:${port}/module.js`)",
  "imports a data: module that imports a file":
    "return (await import('data:text/javascript,' + encodeURIComponent(`import j from 'file://${secretJson}' with { type: 'json' }; export default j`))).default",
  "imports a blob: module that imports a file":
    "const url = URL.createObjectURL(new Blob([`import j from 'file://${secretJson}' with { type: 'json' }; export default j`], { type: 'text/javascript' })); return (await import(url)).default",
  "resolves a bare name": "return await import('left-pad')",
  "imports from a worker":
    "const url = 'data:text/javascript,' + encodeURIComponent(`import j from 'file://${secretJson}' with { type: 'json' }; postMessage(j)`); return await new Promise((resolve, reject) => { const worker = new Worker(url, { type: 'module' }); worker.onmessage = (event) => resolve(event.data); worker.onerror = (event) => { event.preventDefault(); reject(new Error(event.message)); }; })",
  "gives a worker more permissions":
    "return new Worker('data:text/javascript,postMessage(1)', { type: 'module', deno: { permissions: { read: true } } })",
  "starts a node worker":
    "const { Worker } = await import('node:worker_threads'); return await new Promise((resolve, reject) => { const w = new Worker(new URL('data:text/javascript,' + encodeURIComponent(`import { readFileSync } from 'node:fs'; import { parentPort } from 'node:worker_threads'; parentPort.postMessage(readFileSync('${secretFile}', 'utf8'))`))); w.on('message', resolve); w.on('error', reject); })",
};

const processes: Readonly<Record<string, string>> = {
  "runs a command": "return await new Deno.Command('/bin/sh', { args: ['-c', 'id'] }).output()",
  "runs Deno again": "return await new Deno.Command(Deno.execPath(), { args: ['eval', '1'] }).output()",
  "runs a command by node:child_process": "return (await import('node:child_process')).execSync('id').toString()",
  "spawns by node:child_process": "return (await import('node:child_process')).spawnSync('/bin/id').stdout.toString()",
  forks: "return (await import('node:child_process')).fork('/bin/id')",
  "loads a library": "return Deno.dlopen('libc.so.6', { getpid: { parameters: [], result: 'i32' } }).symbols.getpid()",
  "loads an addon": "return process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6')",
  "makes a pointer": "return Deno.UnsafePointer.create(1n)",
  "kills the host": "Deno.kill(hostPid, 'SIGUSR1'); return 'killed'",
  "kills the host by node": "process.kill(hostPid, 'SIGUSR1'); return 'killed'",
  "asks who it is": "return Deno.uid()",
  "asks for the system's name": "return Deno.hostname()",
  "asks for the network's interfaces": "return Deno.networkInterfaces()",
  "asks for them by node:os": "return (await import('node:os')).networkInterfaces()",
  "asks for the load": "return Deno.loadavg()",
  "opens an inspector": "(await import('node:inspector')).open(0); return 'opened'",
  "asks for more permissions":
    "const got = await Deno.permissions.request({ name: 'read', path: secretFile }); return got.state === 'granted' ? 'granted' : undefined",
  "asks the core for a spawned process":
    "return Deno[Deno.internal].core.ops.op_spawn_sync({ cmd: '/bin/id', args: [], clearEnv: false, env: [], stdin: 'null', stdout: 'piped', stderr: 'null', extraStdio: [] })",
  "asks the core to read": "return Deno[Deno.internal].core.ops.op_fs_read_file_text_sync(secretFile)",
  "makes code from a string": "return new Function('return 1')()",
  "evaluates a string": "return (0, eval)('1')",
  "makes an async function from a string": "return await (async () => {}).constructor('return 1')()",
  "reads in node:vm":
    "return (await import('node:vm')).runInThisContext(`Deno.readTextFileSync(${JSON.stringify(secretFile)})`)",
};

const network: Readonly<Record<string, string>> = {
  "fetches from a server here": "return await (await fetch(`http://127.0.0.1:${port}/`)).text()",
  "fetches by name": "return await (await fetch(`http://localhost:${port}/`)).text()",
  "fetches by 0.0.0.0": "return await (await fetch(`http://0.0.0.0:${port}/`)).text()",
  "fetches by a number": "return await (await fetch(`http://2130706433:${port}/`)).text()",
  "fetches by octal": "return await (await fetch(`http://0177.0.0.1:${port}/`)).text()",
  "fetches by a short address": "return await (await fetch(`http://127.1:${port}/`)).text()",
  "fetches by IPv6": "return await (await fetch(`http://[::1]:${port}/`)).text()",
  "fetches by a mapped address": "return await (await fetch(`http://[::ffff:127.0.0.1]:${port}/`)).text()",
  "fetches by another loopback address": "return await (await fetch(`http://127.9.9.9:${port}/`)).text()",
  connects: "return await Deno.connect({ hostname: '127.0.0.1', port })",
  "connects by node:net":
    "const { connect } = await import('node:net'); return await new Promise((resolve, reject) => connect(port, '127.0.0.1').on('connect', () => resolve('connected')).on('error', reject))",
  "connects by node:http":
    "const { get } = await import('node:http'); return await new Promise((resolve, reject) => get(`http://127.0.0.1:${port}/`, (response) => resolve(response.statusCode)).on('error', reject))",
  "opens a web socket":
    "return await new Promise((resolve, reject) => { const socket = new WebSocket(`ws://127.0.0.1:${port}/`); socket.onopen = () => resolve('open'); socket.onerror = (event) => reject(new Error(event.message)); })",
  "streams events":
    "return await new Promise((resolve, reject) => { const source = new EventSource(`http://127.0.0.1:${port}/`); source.onopen = () => resolve('open'); source.onerror = () => { source.close(); reject(new Error('refused')); }; })",
  "sends a datagram":
    "const socket = (await import('node:dgram')).createSocket('udp4'); return await new Promise((resolve, reject) => socket.on('error', reject).send('x', 9, '127.0.0.1', (error) => (error ? reject(error) : resolve('sent'))))",
  listens: "return Deno.listen({ port: 0 })",
  serves: "return Deno.serve({ port: 0 }, () => new Response('x'))",
  "listens by node:http":
    "const server = (await import('node:http')).createServer(); return await new Promise((resolve, reject) => server.on('error', reject).listen(0, () => resolve('listens')))",
  "connects to a unix socket": "return await Deno.connect({ transport: 'unix', path: folder + '/../socket' })",
  "resolves a name": "return await Deno.resolveDns('example.com', 'A')",
  "resolves a name by node:dns": "return await (await import('node:dns/promises')).resolve4('example.com')",
  "opens a proxy":
    "return await fetch('http://example.com/', { client: Deno.createHttpClient({ proxy: { url: `http://127.0.0.1:${port}` } }) })",
};

const environment: Readonly<Record<string, string>> = {
  "reads a variable": "return Deno.env.get('WFE_TEST_SECRET')",
  "reads all variables": "return Deno.env.toObject()",
  "reads a variable by node": "return process.env.WFE_TEST_SECRET",
  "lists variables by node": "return Object.keys((await import('node:process')).env).length > 0 ? 'listed' : undefined",
  "reads HOME": "return Deno.env.get('HOME')",
  "sets a variable": "Deno.env.set('LD_PRELOAD', 'x'); return 'set'",
  "keeps state in localStorage": "localStorage.setItem('a', 'b'); return localStorage.getItem('a')",
  "keeps state in the Cache API": "return await caches.open('a')",
  "keeps state in Deno.openKv": "return await Deno.openKv()",
  "keeps state in IndexedDB": "return indexedDB.open('a')",
};

/** Everything that is tried in one process after another, with nothing granted but one folder to read and write. */
export const attempts: readonly Attempt[] = [files, imports, processes, network, environment].flatMap((group) =>
  Object.entries(group).map(([name, run]) => ({ name, run, alone: /node worker|datagram/.test(name) })),
);
