// An OpenID provider shaped like PingFederate, on panva's oidc-provider: its paths, its ways with claims, its two logouts.
// Environment: PORT, SECRET (of all clients), CLIENT_JWK (the public key of celeriac-key), CONFIG (what `config` begins with).
// Tests steer it with POST /control/{config,users,rotate,reset}, and GET /control/state; nothing else is like PingFederate's.
import http from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const PORT = Number(process.env.PORT);
const ISSUER = `http://127.0.0.1:${PORT}`;
const SECRET = process.env.SECRET;
const CLIENT_JWK = process.env.CLIENT_JWK ? JSON.parse(process.env.CLIENT_JWK) : undefined;
const API = 'urn:celeriac:api';
const SCOPES = 'celeriac:read celeriac:operate';

const dn = (name) => `CN=${name},OU=Groups,DC=corp,DC=example`;
const person = (name, memberOf) => ({ password: `${name}-made-up`, claims: { name, email: `${name}@example.com`, memberOf } });
const users = {
  ada: person('ada', [dn('celeriac-admins'), dn('all-staff')]),
  rob: person('rob', [dn('celeriac-responders'), dn('all-staff')]),
  olga: person('olga', [dn('celeriac-operators'), dn('all-staff')]),
  vera: person('vera', dn('celeriac-viewers')), // one value is a bare string
  nob: person('nob', undefined),
  many: person('many', [
    ...Array.from({ length: 300 }, (_, n) => dn(`group-${n}-with-a-name-as-long-as-in-a-directory-of-many-years`)),
    dn('celeriac-viewers'),
  ]),
};
const config = {
  claimsInIdToken: true, // Include User Info in ID Token
  idTokenOnRefresh: false, // Return ID Token On Refresh Grant
  rollRefresh: true, // Roll Refresh Token Values
  oldLogout: false, // before 12: only ping_end_session_endpoint
  idTokenSeconds: 300,
  accessTokenSeconds: 7200,
  redirectUris: ['http://127.0.0.1/none'],
  backUris: [], // where a browser may go after it has signed off
  backchannel: {}, // client id: where its logout tokens go
  outage: false,
  delayMs: 0,
  ...JSON.parse(process.env.CONFIG || '{}'),
};

let made = 0;
const makeKey = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: `key-${++made}`, use: 'sig', alg: 'RS256',
});
let keys = [makeKey()];
const asked = [];

// Outlives a provider that is made anew, so that sessions and grants do.
const stored = new Map();
const ofGrant = new Map();
const ofUid = new Map();
class Store {
  constructor(kind) { this.kind = kind; }
  key(id) { return `${this.kind}:${id}`; }
  async upsert(id, payload, seconds) {
    stored.set(this.key(id), { payload, until: seconds ? Date.now() + seconds * 1000 : Infinity });
    if (this.kind === 'Session') ofUid.set(payload.uid, id);
    if (payload.grantId) ofGrant.set(payload.grantId, [...(ofGrant.get(payload.grantId) ?? []), this.key(id)]);
  }
  async find(id) {
    const one = stored.get(this.key(id));
    return one && one.until > Date.now() ? one.payload : undefined;
  }
  async findByUid(uid) { return this.find(ofUid.get(uid)); }
  async findByUserCode() { return undefined; }
  async destroy(id) { stored.delete(this.key(id)); }
  async consume(id) { const one = stored.get(this.key(id)); if (one) one.payload.consumed = Math.floor(Date.now() / 1000); }
  async revokeByGrantId(id) { for (const key of ofGrant.get(id) ?? []) stored.delete(key); ofGrant.delete(id); }
}

const consoleClient = (id, auth) => ({
  client_id: id, ...auth,
  redirect_uris: config.redirectUris, post_logout_redirect_uris: config.backUris,
  grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  ...(config.backchannel[id]
    ? { backchannel_logout_uri: config.backchannel[id], backchannel_logout_session_required: true } : {}),
});
const robot = (id, scope) => ({
  client_id: id, client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic', scope,
  redirect_uris: [], response_types: [], grant_types: ['client_credentials'],
});

function signOnPage(said) {
  return `<!doctype html><html lang="en"><title>Sign On</title><h1>Sign On</h1><p>${said}</p><form method="post">
<label>Username <input name="pf.username" autocomplete="off"></label>
<label>Password <input name="pf.pass" type="password"></label><button>Sign On</button></form></html>`;
}

async function formOf(request) {
  let text = '';
  for await (const part of request) text += part;
  return new URLSearchParams(text);
}

function build() {
  const provider = new Provider(ISSUER, {
    clients: [
      consoleClient('celeriac', { client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic' }),
      consoleClient('celeriac-post', { client_secret: SECRET, token_endpoint_auth_method: 'client_secret_post' }),
      ...(CLIENT_JWK
        ? [consoleClient('celeriac-key', { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [CLIENT_JWK] } })] : []),
      robot('celeriac-robot', SCOPES),
    ],
    jwks: { keys },
    adapter: Store,
    routes: {
      authorization: '/as/authorization.oauth2', token: '/as/token.oauth2', jwks: '/pf/JWKS',
      userinfo: '/idp/userinfo.openid', introspection: '/as/introspect.oauth2', revocation: '/as/revoke_token.oauth2',
      end_session: '/idp/init_logout.openid',
    },
    interactions: { url: (ctx, interaction) => `/as/${interaction.uid}/resume/as/authorization.ping` },
    scopes: ['openid', 'profile', 'email', ...SCOPES.split(' ')],
    claims: {
      openid: ['sub', 'pi.sri'], profile: ['name', 'preferred_username', 'memberOf'], email: ['email'],
      acr: null, auth_time: null, iss: null, sid: null,
    },
    conformIdTokenClaims: !config.claimsInIdToken,
    async findAccount(ctx, sub) {
      if (!users[sub]) return undefined;
      const claims = { sub, preferred_username: sub, 'pi.sri': `sri-${sub}`, ...users[sub].claims };
      return { accountId: sub, claims: async () => claims };
    },
    async loadExistingGrant(ctx) { // Bypass Authorization Approval: nobody is asked for consent
      const { client, session, provider: self } = ctx.oidc;
      const id = ctx.oidc.result?.consent?.grantId || session.grantIdFor(client.clientId);
      if (id) return self.Grant.find(id);
      const grant = new self.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: () => config.rollRefresh,
    expiresWithSession: async () => false,
    pkce: { required: () => true },
    clockTolerance: 5,
    ttl: {
      IdToken: config.idTokenSeconds, AccessToken: config.accessTokenSeconds, ClientCredentials: config.accessTokenSeconds,
      RefreshToken: 8 * 3600, AuthorizationCode: 60, Grant: 86400, Session: 86400, Interaction: 600,
    },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true, // a valid hint asks for no confirmation: the form sends itself
        logoutSource: (ctx, form) => {
          ctx.body = `<!doctype html><title>Sign Off</title>${form}<script>const form = document.forms[0];
const yes = document.createElement('input'); yes.name = 'logout'; yes.value = 'yes'; form.append(yes); form.submit();</script>`;
        },
      },
      resourceIndicators: { // a JWT for programs that name the API, a reference token for everybody else
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => false,
        getResourceServerInfo: () => ({
          scope: SCOPES, audience: API, accessTokenFormat: 'jwt', accessTokenTTL: config.accessTokenSeconds,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: (ctx, token) => (token.kind === 'ClientCredentials' ? { memberOf: dn('celeriac-operators') } : undefined),
    cookies: { keys: ['for-tests'], names: { session: 'PF', interaction: 'PF.i', resume: 'PF.r' } },
    discovery: { ping_end_session_endpoint: `${ISSUER}/idp/startSLO.ping`, claims_parameter_supported: false },
    // The guard against addresses on loopback is left out, so that logout tokens reach a console there.
    fetch: (url, { dispatcher, ...how }) => globalThis.fetch(url, { ...how, signal: AbortSignal.timeout(5000) }),
  });
  provider.on('server_error', (ctx, error) => console.log('server_error', error));
  provider.on('grant.error', (ctx, error) => console.log('grant.error', error.message, error.error_detail));
  provider.on('backchannel.error', (ctx, error) => console.log('backchannel.error', error.message, error.cause));
  provider.use(async (ctx, next) => {
    if (/^\/as\/[^/]+\/resume\/as\/authorization\.ping$/.test(ctx.path)) {
      await provider.interactionDetails(ctx.req, ctx.res);
      ctx.type = 'html';
      if (ctx.method === 'GET') { ctx.body = signOnPage(''); return; }
      const form = await formOf(ctx.req);
      if (form.get('cancel')) {
        ctx.respond = false;
        await provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied', error_description: 'stopped' });
        return;
      }
      const name = form.get('pf.username');
      if (users[name]?.password !== form.get('pf.pass')) {
        ctx.body = signOnPage("We didn't recognize the username or password you entered.");
        return;
      }
      ctx.respond = false;
      await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: name, amr: ['pwd'] } });
      return;
    }
    await next();
    if (ctx.oidc?.route === 'discovery') { // as PingFederate announces it: `none` and secrets' algorithms too
      ctx.body.id_token_signing_alg_values_supported = ['none', 'HS256', 'RS256', 'ES256', 'PS256'];
      ctx.body.code_challenge_methods_supported = ['plain', 'S256'];
      if (config.oldLogout) delete ctx.body.end_session_endpoint;
    }
    if (ctx.oidc?.route === 'token' && ctx.oidc.body?.grant_type === 'refresh_token' && !config.idTokenOnRefresh) {
      delete ctx.body?.id_token;
    }
  });
  return provider.callback();
}

const first = { config: structuredClone(config), users: structuredClone(users), keys };
let answer = build();
const orders = {
  reset: () => { // as it was when it began, for the next test
    Object.assign(config, structuredClone(first.config));
    for (const name of Object.keys(users)) delete users[name];
    Object.assign(users, structuredClone(first.users));
    keys = first.keys;
    for (const kept of [stored, ofGrant, ofUid]) kept.clear();
    asked.length = 0;
  },
  config: (body) => Object.assign(config, body),
  users: (body) => { for (const [name, claims] of Object.entries(body)) users[name] = person(name, claims.memberOf ?? undefined); },
  rotate: (body) => { keys = body.keepOld ? [makeKey(), ...keys] : [makeKey()]; },
  state: () => undefined,
};

http.createServer(async (request, response) => {
  try {
    const control = /^\/control\/(\w+)$/.exec(request.url);
    if (control) {
      let text = '';
      for await (const part of request) text += part;
      orders[control[1]](text ? JSON.parse(text) : {});
      if (text) answer = build();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ config, keys: keys.map((key) => key.kid), asked }));
      return;
    }
    asked.push(`${request.method} ${request.url.split('?')[0]}`);
    asked.splice(0, asked.length - 500);
    if (config.delayMs) await new Promise((resolve) => { setTimeout(resolve, config.delayMs); });
    if (config.outage) { response.statusCode = 503; response.end('Service Unavailable'); return; }
    if (request.url.startsWith('/idp/startSLO.ping')) {
      response.statusCode = 302;
      response.setHeader('set-cookie', 'PF=; Path=/; Max-Age=0');
      response.setHeader('location', new URL(request.url, ISSUER).searchParams.get('TargetResource') ?? '/');
      response.end();
      return;
    }
    await answer(request, response);
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end('failed');
  }
}).listen(PORT, '127.0.0.1', () => console.log(`ready on ${ISSUER}`));
