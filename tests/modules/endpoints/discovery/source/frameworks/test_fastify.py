from backend.app.engine.spec.model import Parameter, ParameterLocation
from tests.modules.endpoints.discovery.source.trees import paths, routes


def test_plugins_are_registered_under_prefixes() -> None:
    assert paths(
        {
            "server.ts": """
                import Fastify, { FastifyInstance } from 'fastify';
                import fp from 'fastify-plugin';
                import { users } from './users';
                export async function build(opts = {}) {
                  const app = Fastify(opts).withTypeProvider<TypeBoxTypeProvider>();
                  await app.register(import('./status.js'));
                  app.register(async (api: FastifyInstance) => {
                    api.register(users, { prefix: 'users' });
                    api.get('/', async () => ({}));
                  }, { prefix: '/api' });
                  app.register(fp(async (instance) => { instance.get('/shared', h); }), { prefix: '/ignored' });
                  return app;
                }
            """,
            "users.ts": """
                import { FastifyPluginAsync } from 'fastify';
                export const users: FastifyPluginAsync = async (fastify, opts) => {
                  fastify.get<{ Params: Params }>('/:id', { preHandler: [fastify.authenticate] }, read);
                  fastify.route({ method: ['PUT', 'PATCH'], url: '/:id', handler: update });
                };
            """,
            "status.ts": "export default async function (server) { server.head('/status', h); server.all('*', h); }",
        }
    ) == {
        "HEAD /status",
        "* /*",
        "GET /api",
        "GET /api/users/{id}",
        "PUT /api/users/{id}",
        "PATCH /api/users/{id}",
        "GET /shared",
    }


def test_folders_are_loaded_as_autoload_does() -> None:
    assert paths(
        {
            "package.json": '{"scripts": {"start": "fastify start -l info app.js"}}',
            "app.js": """
                const path = require('node:path');
                const AutoLoad = require('@fastify/autoload');
                module.exports = async function (fastify, opts) {
                  fastify.register(AutoLoad, { dir: path.join(__dirname, 'routes'), routeParams: true,
                    options: Object.assign({ prefix: '/v1' }, opts) });
                };
            """,
            "routes/root.js": "module.exports = async (fastify) => { fastify.get('/', h); }",
            "routes/users/index.js": "module.exports = async (fastify) => { fastify.post('/', h); }",
            "routes/users/helper.js": "module.exports = async (server) => { server.get('/not-loaded', h); }",
            "routes/users/_id/index.js": "module.exports = async (fastify) => { fastify.get('/', h); }",
            "routes/old/index.js": """
                module.exports = async (fastify) => { fastify.get('/x', h); };
                module.exports.autoPrefix = '/legacy';
            """,
        }
    ) == {"GET /v1", "POST /v1/users", "GET /v1/users/{id}", "GET /v1/old/legacy/x"}


def test_schemas_say_which_parameters_there_are() -> None:
    (route,) = routes(
        {
            "app.js": """
                const fastify = require('fastify')();
                const query = { type: 'object', required: ['q'], properties: { q: { type: 'string' } } };
                fastify.post('/search/:kind', {
                  schema: { querystring: query, body: { type: 'object' }, tags: ['search'], deprecated: true },
                  onRequest: [verifyToken],
                }, search);
            """
        }
    )
    assert (route.handler, route.requires_auth, route.tags, route.deprecated) == ("search", True, ("search",), True)
    assert route.parameters == (
        Parameter("kind", ParameterLocation.PATH, required=True),
        Parameter("q", ParameterLocation.QUERY, required=True, schema={"type": "string"}),
    )
    assert route.body is not None
    assert route.body.content[0].schema == {"type": "object"}


def test_a_plugin_that_nobody_registers_is_marked() -> None:
    (route,) = routes({"plugin.js": "module.exports = async function (fastify) { fastify.get('/x', h); }"})
    assert route.path == "/x"
    assert route.unresolved


def test_a_package_of_the_tree_may_bear_the_name_of_the_framework() -> None:
    assert paths(
        {
            "package.json": '{"name": "fastify", "main": "server.js"}',
            "server.js": """
                const fastify = require('fastify')();
                const users = require('./users');
                fastify.register(users, { prefix: '/users' });
                fastify.listen({ port: 3000 });
            """,
            "users.js": "module.exports = function router(fastify, options) { fastify.get('/', list); };",
        }
    ) == {"GET /users"}


def test_what_a_program_does_on_signals_is_not_what_it_does_when_it_starts() -> None:
    assert paths(
        {
            "server/src/index.ts": """
                import { Server } from './server';
                class Program {
                  #state = 'idle';
                  #server;
                  constructor() {
                    process.once('SIGTERM', () => { this.#state = 'stopping'; });
                  }
                  async start() {
                    if (this.#state !== 'idle') throw new Error();
                    this.#server = new Server('/v1');
                    await this.#server.listen();
                  }
                }
                await new Program().start();
            """,
            "server/src/server.ts": """
                import Fastify from 'fastify';
                export class Server {
                  private fastify = Fastify();
                  constructor(private readonly prefix: string) {}
                  async listen() { this.fastify.register(things, { prefix: this.prefix }); }
                }
                async function things(instance, options) { instance.get(`/things`, h); }
            """,
        }
    ) == {"GET /v1/things"}


def test_nothing_is_put_between_a_prefix_and_a_path() -> None:
    assert paths(
        {
            "app.js": """
                const app = require('fastify')();
                app.register(async (api) => {
                  api.get('*', missing);
                  api.get('.json', description);
                  api.get('/users', list);
                  api.register(async (inner) => inner.get('/', h), { prefix: 'v2' });
                }, { prefix: '/api' });
                app.get('*', missing);
            """,
        }
    ) == {"GET /api*", "GET /api.json", "GET /api/users", "GET /api/v2", "GET /*"}
