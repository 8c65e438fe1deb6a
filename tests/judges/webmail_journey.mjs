// A webmail's day over the HTTP API: Node's fetch, and messages composed by nodemailer (npm).
// Arguments: base URL, LMTP port, root token. Ends with a line of counts.
import { createRequire } from 'node:module';

const require = createRequire((process.env.NODE_PATH || process.cwd()) + '/');
const nodemailer = require('nodemailer');
const [base, lmtpPort, rootToken] = process.argv.slice(2);
const password = 'correct horse battery';
let passed = 0;
const check = (name, condition, shown) => {
    if (!condition) {
        console.error(`not so: ${name}: ${JSON.stringify(shown)}`);
        process.exit(1);
    }
    passed++;
};

class Session {
    constructor(token) {
        this.token = token;
    }
    async raw(method, path, body, type) {
        const headers = { 'X-Access-Token': this.token };
        if (type) headers['Content-Type'] = type;
        return fetch(base + path, { method, body, headers });
    }
    async call(method, path, values) {
        const answer = await this.raw(method, path, values && JSON.stringify(values), values && 'application/json');
        const said = await answer.json();
        check(`${method} ${path}`, answer.status === 200 && said.success === true, said);
        return said;
    }
    async mailbox(path) {
        return (await this.call('GET', `/users/me/mailboxes/resolve?path=${encodeURIComponent(path)}`)).id;
    }
    list(mailbox) {
        return this.call('GET', `/users/me/mailboxes/${mailbox}/messages?limit=20`);
    }
    show(mailbox, id) {
        return this.call('GET', `/users/me/mailboxes/${mailbox}/messages/${id}?markAsSeen=true`);
    }
}

const root = new Session(rootToken);
const logIn = async username => {
    const values = { username, password, address: `${username}@example.com`, name: username.toUpperCase() };
    await root.call('POST', '/users', values);
    const said = await root.call('POST', '/authenticate', { username, password, scope: 'master', token: true });
    return new Session(said.token);
};
// what tasks do afterwards
const until = async (what, ask) => {
    const end = Date.now() + 60_000;
    for (;;) {
        const got = await ask();
        if (got) return got;
        check(`${what} in time`, Date.now() < end);
    }
};
const lmtp = nodemailer.createTransport({
    host: '127.0.0.1', port: Number(lmtpPort), lmtp: true, secure: false, ignoreTLS: true
});
const deliver = message => lmtp.sendMail({ to: 'anna@example.com', ...message });

const anna = await logIn('anna');
const bert = await logIn('bert');
const inbox = await anna.mailbox('INBOX');
const bertInbox = await bert.mailbox('INBOX');

// read what arrived
const picture = Buffer.from('89504e470d0a1a0a0102030405', 'hex');
await deliver({
    from: '"Bert ü" <bert@example.com>', subject: 'Lunch with Jürgen ☕', text: 'Pizza tonight?',
    html: '<p>Pizza <b>tonight</b>? <img src="cid:pic@x"></p>', messageId: '<lunch@example.com>',
    attachments: [{ filename: 'menü.png', content: picture, cid: 'pic@x' }]
});
let list = await anna.list(inbox);
check('it is listed', list.total === 1 && list.results[0].subject === 'Lunch with Jürgen ☕', list);
check('it is unseen', list.results[0].seen === false && list.results[0].from.name === 'Bert ü', list);
const lunch = await anna.show(inbox, list.results[0].id);
check('its text', lunch.text.trim() === 'Pizza tonight?' && lunch.html.join('').includes('<b>tonight</b>'), lunch);
check('its attachment', lunch.attachments[0].filename === 'menü.png', lunch.attachments);
const path = `/users/me/mailboxes/${inbox}/messages/${lunch.id}`;
const attached = await anna.raw('GET', `${path}/attachments/${lunch.attachments[0].id}`);
check('its octets', Buffer.from(await attached.arrayBuffer()).equals(picture));
list = await anna.list(inbox);
check('it is seen', list.results[0].seen === true, list);

// answer it
const answer = await anna.call('POST', '/users/me/submit', {
    reference: { mailbox: inbox, id: lunch.id, action: 'reply' }, text: 'Yes!'
});
const arrival = subject => until(`${subject} arrives`, async () =>
    (await bert.list(bertInbox)).results.find(message => message.subject === subject));
const got = await arrival('Re: Lunch with Jürgen ☕');
const read = await bert.show(bertInbox, got.id);
check('it answers', read.inReplyTo === '<lunch@example.com>' || read.references.includes('<lunch@example.com>'), read);
check('it is from anna', read.from.address === 'anna@example.com', read.from);
const sent = await anna.mailbox('Sent Mail');
check('a copy is in Sent', answer.message.mailbox === sent && (await anna.list(sent)).total === 1, answer);
check('the first is answered', (await anna.list(inbox)).results[0].answered === true);

// send a file, by way of a draft
const content = Buffer.from('a,b\r\n1,2\r\n');
const kept = await anna.raw('POST', '/users/me/storage?filename=sums.csv', content, 'text/csv');
const file = (await kept.json()).id;
const drafts = await anna.mailbox('Drafts');
const draft = await anna.call('POST', `/users/me/mailboxes/${drafts}/messages`, {
    draft: true, to: [{ address: 'bert@example.com' }], subject: 'Sums', text: 'See there.', files: [file]
});
await anna.call('POST', `/users/me/mailboxes/${drafts}/messages/${draft.message.id}/submit`, { deleteFiles: true });
const letter = await bert.show(bertInbox, (await arrival('Sums')).id);
check('the file is attached', letter.attachments?.[0].filename === 'sums.csv', letter);
const sums = await bert.raw('GET', `/users/me/mailboxes/${bertInbox}/messages/${letter.id}/attachments/${letter.attachments[0].id}`);
check('octet for octet', Buffer.from(await sums.arrayBuffer()).equals(content));
check('the file is no longer kept', (await anna.call('GET', '/users/me/storage')).total === 0);
check('nor the draft', (await anna.list(drafts)).total === 0);

// search, move, delete, restore
const found = await anna.call('GET', `/users/me/search?q=${encodeURIComponent('from:bert pizza')}`);
check('found', found.total === 1 && found.results[0].id === lunch.id, found);
const kitchen = (await anna.call('POST', '/users/me/mailboxes', { path: 'Kitchen' })).id;
const moved = await anna.call('PUT', path, { moveTo: kitchen, flagged: true });
check('moved', moved.id[0][0] === lunch.id && moved.mailbox === kitchen, moved);
const there = (await anna.list(kitchen)).results[0];
check('flagged there', there.flagged && there.subject === lunch.subject, there);
await anna.call('DELETE', `/users/me/mailboxes/${kitchen}/messages/${there.id}`);
check('gone', (await anna.list(kitchen)).total === 0);
const archive = await anna.call('GET', '/users/me/archived/messages');
check('archived', archive.total === 1 && archive.results[0].subject === lunch.subject, archive);
const back = await anna.call('POST', `/users/me/archived/messages/${archive.results[0].id}/restore`, { mailbox: inbox });
check('restored', back.mailbox === inbox && (await anna.show(inbox, back.id)).text.trim() === 'Pizza tonight?', back);

// a rule, and an answer while away
await anna.call('POST', '/users/me/filters', {
    name: 'kitchen', query: { subject: 'recipe' }, action: { mailbox: kitchen, seen: true, flag: true }
});
await deliver({ from: 'carla@example.org', subject: 'A Recipe', text: 'Flour.' });
const sorted = (await anna.list(kitchen)).results[0];
check('sorted', sorted?.subject === 'A Recipe' && sorted.seen && sorted.flagged, sorted);
check('not in the inbox', (await anna.list(inbox)).total === 1);
await anna.call('PUT', '/users/me/autoreply', { status: true, subject: 'Away', text: 'Back on Monday.' });
await bert.call('POST', '/users/me/submit', { to: [{ address: 'anna@example.com' }], subject: 'Are you there?', text: 'x' });
const away = await arrival('Auto: Away');
check('its text', (await bert.show(bertInbox, away.id)).text.trim() === 'Back on Monday.');

// log out, and nobody sees another's mail
const foreign = await bert.raw('GET', `/users/${lunch.user}/mailboxes`);
check('others', foreign.status === 403, foreign.status);
await anna.call('DELETE', '/authenticate');
check('logged out', (await anna.raw('GET', '/users/me/mailboxes')).status === 403);
console.log(`${passed} passed, 0 failed`);
process.exit(0);
