// A webmail's day through the generated TypeScript client, compiled strictly.
// Arguments: base URL, root token. Ends with a line of counts.
import { Eider, EiderError } from '../../api-spec/clients/eider.js';

declare const process: { argv: string[]; exit(code: number): never };

const [base, rootToken] = process.argv.slice(2) as [string, string];
const password = 'correct horse battery';
let passed = 0;
const check = (name: string, condition: boolean, shown?: unknown) => {
    if (!condition) {
        console.error(`not so: ${name}: ${JSON.stringify(shown)}`);
        process.exit(1);
    }
    passed++;
};

const root = new Eider(base, rootToken);
const logIn = async (username: string) => {
    const address = `${username}@example.com`;
    await root.createUser({ username, password, address, name: username.toUpperCase() });
    const said = await root.authenticate({ username, password, token: true });
    check('a token', typeof said.token === 'string', said);
    return new Eider(base, said.token ?? undefined);
};
const [anna, berta] = [await logIn('anna'), await logIn('berta')];
const mailbox = async (user: Eider, path: string) => {
    const { results } = await user.listMailboxes('me', { counters: true });
    const found = results.find(one => one.path === path);
    check(`mailbox ${path}`, found !== undefined, results);
    return found!.id;
};

// a message from Anna comes to Berta with an attachment
const content = btoa('attached');
const sent = await anna.submitMessage('me', {
    to: [{ address: 'berta@example.com', name: 'Berta' }], subject: 'Lunch?', text: 'At noon?',
    attachments: [{ filename: 'map.txt', contentType: 'text/plain', content, encoding: 'base64' }],
});
check('sent', sent.success, sent);
const inbox = await mailbox(berta, 'INBOX');
const list = await berta.listMessages('me', inbox, { limit: 20 });
check('one message', list.total === 1 && list.results.length === 1, list);
const first = list.results[0]!;
check('its subject', first.subject === 'Lunch?' && first.attachments === true, first);
const read = await berta.showMessage('me', inbox, Number(first.id), { markAsSeen: true });
check('its text', String(read.text).includes('At noon?'), read);
const attachment = read.attachments![0]!;
const octets = await berta.showAttachment('me', inbox, Number(first.id), attachment.id);
check('its attachment', await octets.text() === 'attached');

// she answers; it is found by search
await berta.submitMessage('me', {
    reference: { mailbox: inbox, id: first.id, action: 'reply' }, text: 'Yes',
});
const hers = await anna.listMessages('me', await mailbox(anna, 'INBOX'));
check('the answer', hers.results[0]!.subject === 'Re: Lunch?', hers);
const found = await berta.searchMessages('me', { subject: 'lunch' });
check('search', found.results.length >= 1, found);

// she files, deletes and restores
const folder = await berta.createMailbox('me', { path: 'Friends' });
await berta.updateMessages('me', inbox, { message: String(first.id), moveTo: folder.id, flagged: true });
const filed = await berta.listMessages('me', folder.id);
check('filed', filed.total === 1 && filed.results[0]!.flagged, filed);
await berta.deleteMessage('me', folder.id, Number(filed.results[0]!.id));
const archived = await berta.listArchivedMessages('me');
check('archived', archived.results.length === 1, archived);
await berta.restoreArchivedMessage('me', String(archived.results[0]!.id), { mailbox: folder.id });
check('restored', (await berta.listMessages('me', folder.id)).total === 1);

// her rules
const filter = await berta.createFilter('me', {
    name: 'friends', query: { from: 'anna' }, action: { mailbox: folder.id, seen: true },
});
await berta.updateAutoreply('me', { status: true, subject: 'Away', text: 'Until Monday' });
await anna.submitMessage('me', {
    to: [{ address: 'berta@example.com' }], subject: 'Later', text: 'x',
});
check('ruled', (await berta.listMessages('me', folder.id)).total === 2);
const answers = await anna.listMessages('me', await mailbox(anna, 'INBOX'));
check('answered', answers.results.some(one => one.subject.includes('Away')), answers);
await berta.deleteFilter('me', filter.id);

// what is refused is an error
try {
    await anna.showUser((await root.resolveUser('berta')).id);
    check('another user', false);
} catch (error) {
    check('refused', error instanceof EiderError && error.status === 403, error);
}
console.log(`${passed} passed, 0 failed`);
