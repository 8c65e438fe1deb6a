// imapflow (npm) against the store: list, append, fetch, flag, move, idle.
// Arguments: IMAP port, LMTP port, user, password. Ends with a line of counts.
import { createRequire } from 'node:module';
import net from 'node:net';

const require = createRequire((process.env.NODE_PATH || process.cwd()) + '/');
const { ImapFlow } = require('imapflow');
const [imapPort, lmtpPort, user, pass] = process.argv.slice(2);
let passed = 0;
const check = (name, condition) => {
    if (!condition) {
        console.error(`not so: ${name}`);
        process.exit(1);
    }
    passed++;
};

const client = new ImapFlow({
    host: '127.0.0.1', port: Number(imapPort), secure: false, doSTARTTLS: true,
    tls: { rejectUnauthorized: false }, auth: { user, pass }, logger: false
});
await client.connect();
check('TLS by STARTTLS', client.secureConnection);
const list = await client.list();
check('INBOX is listed', list.some(box => box.path === 'INBOX'));
check('special use', list.some(box => box.specialUse === '\\Trash'));
await client.mailboxCreate('flow/inner');
const raw = Buffer.from('From: a@example.org\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nhello\r\n');
const appended = await client.append('INBOX', raw, ['\\Seen', 'work'], new Date('2024-02-03T04:05:06Z'));
check('APPENDUID', appended.uid === 1);
await client.mailboxOpen('INBOX');
check('one message', client.mailbox.exists === 1);
const one = await client.fetchOne('1', { uid: true, flags: true, envelope: true, bodyStructure: true, source: true, internalDate: true, size: true });
check('envelope', one.envelope.subject === 'grüße');
check('source', one.source.equals(raw));
check('size', one.size === raw.length);
check('flags', one.flags.has('\\Seen') && one.flags.has('work'));
check('date', new Date(one.internalDate).toISOString() === '2024-02-03T04:05:06.000Z');
check('structure', one.bodyStructure.type === 'text/plain');
check('flag', await client.messageFlagsAdd('1', ['\\Flagged']));
check('search', (await client.search({ flagged: true })).length === 1);
check('search text', (await client.search({ body: 'HELLO' })).length === 1);
const moved = await client.messageMove('1', 'flow/inner');
check('COPYUID', moved.uidMap.get(1) === 1);
const status = await client.status('flow/inner', { messages: true, unseen: true });
check('status', status.messages === 1 && status.unseen === 0);

const arrived = new Promise(resolve => client.once('exists', resolve));
const idling = client.idle();
await new Promise((resolve, reject) => {
    const socket = net.connect(Number(lmtpPort), '127.0.0.1');
    const steps = ['LHLO x', 'MAIL FROM:<>', `RCPT TO:<${user}@example.com>`, 'DATA', 'Subject: ring\r\n\r\nx\r\n.', 'QUIT'];
    socket.on('data', data => {
        const last = data.toString().trimEnd().split('\r\n').pop();
        if (last[3] === '-') return;
        if (!/^[23]/.test(last)) reject(new Error(last));
        const step = steps.shift();
        if (step) socket.write(step + '\r\n'); else resolve();
    });
    socket.on('error', reject);
});
const event = await arrived;
check('EXISTS while idling', event.count === 1);
client.noop();
await idling;
await client.logout();
console.log(`${passed} passed, 0 failed`);
process.exit(0);
