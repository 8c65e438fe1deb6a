// nodemailer as a user's program: STARTTLS, TLS, PLAIN and LOGIN, attachments, DSN.
// Arguments: ports of submission and of submission with TLS; name, password.
// Ends with a line of counts; berta has three messages then.
import { createRequire } from 'node:module';

const require = createRequire((process.env.NODE_PATH || process.cwd()) + '/');
const nodemailer = require('nodemailer');
const [port, tlsPort, user, pass] = process.argv.slice(2);
let passed = 0;
const check = (name, condition, shown) => {
    if (!condition) {
        console.error(`not so: ${name}: ${JSON.stringify(shown)}`);
        process.exit(1);
    }
    passed++;
};

const common = { host: '127.0.0.1', auth: { user, pass }, tls: { rejectUnauthorized: false } };
const letter = { from: 'Anna <anna@example.com>', to: 'Berta <berta@example.com>', text: 'hello' };
const ways = [
    { ...common, port, requireTLS: true },
    { ...common, port: tlsPort, secure: true, authMethod: 'LOGIN' },
];
for (const way of ways) {
    const transport = nodemailer.createTransport(way);
    check('verified', await transport.verify());
    const attachments = [{ filename: 'a.bin', content: Buffer.alloc(300_000, 'ä.\r\n.') }];
    const sent = await transport.sendMail({ ...letter, subject: 'ü', attachments, dsn: { notify: ['failure'], return: 'headers' } });
    check('accepted', sent.response.startsWith('250 2.0.0 queued as ') && sent.accepted.length === 1, sent);
    transport.close();
}
const pooled = nodemailer.createTransport({ ...common, port, pool: true, maxConnections: 1 });
const [one, other] = await Promise.allSettled([
    pooled.sendMail(letter),
    pooled.sendMail({ ...letter, from: 'berta@example.com' }),
]);
check('pooled', one.status === 'fulfilled', one);
check('only as oneself', other.reason?.responseCode === 553, other);
pooled.close();
const wrong = nodemailer.createTransport({ ...common, port, auth: { user, pass: 'wrong' } });
const refused = await wrong.sendMail(letter).catch(error => error);
check('wrong password', refused.responseCode === 535, refused);
console.log(`${passed} passed, 0 failed`);
