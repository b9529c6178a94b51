from tests.modules.endpoints.discovery.source.trees import paths, routes


def test_routers_are_mounted_across_commonjs_files() -> None:
    found = routes(
        {
            "src/app.js": """
                const express = require('express');
                const routes = require('./routes');
                const app = express();
                app.get('/health', (req, res) => res.send('ok'));
                app.use('/api', routes);
                app.get('port');
                app.use((req, res) => res.status(404).end());
                module.exports = app;
            """,
            "src/routes/index.js": """
                const { Router } = require('express');
                const router = Router();
                const mounts = [
                  { path: '/users', route: require('./users.route') },
                  { path: '/books', route: require('./books.route') },
                ];
                mounts.forEach((mount) => router.use(mount.path, mount.route));
                module.exports = router;
            """,
            "src/routes/users.route.js": """
                const express = require('express');
                const auth = require('../middlewares/auth');
                const users = require('../controllers/users');
                const router = express.Router();
                router.route('/').post(auth('manage'), users.create).get(users.list);
                router.get('/:userId(\\\\d+)', users.read);
                module.exports = router;
            """,
            "src/routes/books.route.js": """
                const router = require('express').Router();
                router.all('/', (req, res) => {});
                router.delete(['/:id', '/by-name/:name?'], remove);
                module.exports = router;
            """,
        }
    )
    assert {(route.key, route.handler, route.requires_auth) for route in found} == {
        ("GET /health", "", None),
        ("POST /api/users", "users.create", True),
        ("GET /api/users", "users.list", None),
        ("GET /api/users/{userId}", "users.read", None),
        ("* /api/books", "", None),
        ("DELETE /api/books/{id}", "remove", None),
        ("DELETE /api/books/by-name/{name}", "remove", None),
    }
    read = next(route for route in found if route.handler == "users.read")
    assert (read.file, read.line) == ("src/routes/users.route.js", 7)
    assert [parameter.name for parameter in read.parameters] == ["userId"]
    assert not any(route.unresolved for route in found)


def test_typescript_modules_aliases_and_constants() -> None:
    assert paths(
        {
            "tsconfig.json": """{
                // comments are allowed
                "compilerOptions": { "baseUrl": "./src", "paths": { "@routes/*": ["routes/*"], },},
            }""",
            "src/server.ts": """
                import express, { type Request } from 'express';
                import { API_PREFIX, Paths } from 'config/constants';
                import * as routes from '@routes/index';
                const app: express.Application = express();
                app.use(`${API_PREFIX}/v1`, routes.users, routes.default);
                app.get(Paths.Status, status);
            """,
            "src/config/constants.ts": """
                const base = process.env.BASE_PATH || '/api';
                export const API_PREFIX = base;
                export enum Paths { Status = '/status' }
            """,
            "src/routes/index.ts": """
                export { usersRouter as users } from './users.js';
                export * from './unused';
                import { Router } from 'express';
                const router = Router();
                router.patch('/me', (req, res) => {});
                export default router;
            """,
            "src/routes/users.ts": """
                import { Router } from 'express';
                export const usersRouter: Router = Router();
                usersRouter.put('/users/:id', async (req, res) => {});
            """,
            "src/routes/unused.ts": "export const nothing = 1;",
        }
    ) == {"PUT /api/v1/users/{id}", "PATCH /api/v1/me", "GET /status"}


def test_classes_factories_and_loaders() -> None:
    assert paths(
        {
            "package.json": '{"name": "shop", "main": "app.js"}',
            "server.ts": """
                import { App } from './app';
                import { UserRoutes } from './user.routes';
                new App([new UserRoutes('/users')]).listen();
            """,
            "app.ts": """
                import express from 'express';
                import legacy from './legacy';
                export class App {
                  private app: express.Application;
                  constructor(private routes: { path: string; router: express.Router }[]) {
                    this.app = express();
                    this.initialize();
                  }
                  private initialize() {
                    for (const { path, router } of this.routes) this.app.use(path, router);
                    legacy(this.app, { prefix: '/old' });
                  }
                  listen() { this.app.listen(3000); }
                }
            """,
            "user.routes.ts": """
                import { Router } from 'express';
                class BaseRoutes {
                  router = Router();
                  constructor(public path: string) { this.define(); }
                  define(): void {}
                }
                export class UserRoutes extends BaseRoutes {
                  define() { this.router.get('/:id', this.read.bind(this)); }
                  read(req, res) {}
                }
            """,
            "legacy.js": """
                const fs = require('fs');
                const path = require('path');
                module.exports = function (app, options) {
                  fs.readdirSync(path.join(__dirname, 'legacy-routes'))
                    .filter((name) => name !== 'index.js' && name.endsWith('.js'))
                    .forEach((name) => {
                      const route = require(path.join(__dirname, 'legacy-routes', name));
                      app.use(`${options.prefix}/${path.basename(name, '.js')}`, route(app));
                    });
                };
            """,
            "legacy-routes/orders.js": """
                const express = require('express');
                module.exports = () => {
                  const router = express.Router();
                  const methods = ['get', 'post'];
                  methods.forEach((method) => router[method]('/', (req, res) => {}));
                  return router;
                };
            """,
        }
    ) == {"GET /users/{id}", "GET /old/orders", "POST /old/orders"}


def test_what_is_mounted_out_of_sight_is_marked() -> None:
    found = routes(
        {
            "a.js": """
                const router = require('express').Router();
                router.get('/lost', handler);
                module.exports = router;
            """,
            "b.js": """
                const express = require('express');
                const settings = require('some-settings');
                const app = express();
                const router = express.Router();
                router.get('/known', handler);
                app.use(settings.prefix, router);
            """,
        }
    )
    assert [(route.path, bool(route.unresolved)) for route in found] == [
        ("/lost", True),
        ("/{some_settings_prefix}/known", True),
    ]
    assert "some-settings.prefix" in found[1].unresolved


def test_clients_tests_and_front_ends_declare_nothing() -> None:
    assert not routes(
        {
            "client.js": "const axios = require('axios'); axios.get('/users'); new Map().get('/x', 1);",
            "tests/app.test.js": "const app = require('express')(); app.get('/test', h);",
            "types.ts": "import { Request } from 'express'; export const f = (req: Request) => req.get('/x', 1);",
            "App.tsx": "import { Route } from 'react-router'; export const App = () => <Route path='/home' />;",
        }
    )


def test_guards_of_a_router_hold_for_what_follows() -> None:
    found = routes(
        {
            "app.js": """
                const express = require('express');
                const { requireAuth, validate } = require('./middlewares');
                const app = express();
                app.post('/login', validate(authSchemas.login), login);
                app.use(requireAuth);
                app.get('/me', me);
            """
        }
    )
    assert {route.key: route.requires_auth for route in found} == {"POST /login": None, "GET /me": True}


def test_a_start_that_takes_many_steps_is_followed_to_its_end() -> None:
    steps = "\n".join(f"await table{number}.create({{ size: {number} }});" for number in range(1_500))
    assert paths(
        {
            "server.ts": f"""
                import express from 'express';
                import router from './router';
                export class Server {{
                  app = express();
                  async prepare() {{ {steps} }}
                  async listen() {{ this.app.use('/api', router); }}
                }}
                export async function start() {{
                  const server = new Server();
                  await server.prepare();
                  await server.listen();
                }}
            """,
            "router.ts": """
                import express from 'express';
                const router = express.Router();
                router.get('/users', list);
                export default router;
            """,
        }
    ) == {"GET /api/users"}


def test_what_is_only_there_under_test_is_no_route() -> None:
    assert paths(
        {
            "app.js": """
                const express = require('express');
                const app = express();
                app.get('/users', list);
                if (process.env.NODE_ENV === 'test') app.post('/reset', reset);
                if (process.env.NODE_ENV !== 'test') app.get('/health', health);
                app.listen(3000);
            """,
        }
    ) == {"GET /users", "GET /health"}


def test_a_package_of_the_repository_that_leads_to_what_is_built_of_it() -> None:
    assert paths(
        {
            "packages/shared/package.json": '{"name": "shared", "main": "dist/index.js"}',
            "packages/shared/routes.js": 'module.exports = require("./dist/routes");',
            "packages/shared/src/routes.ts": 'export const things = { method: "get", path: "/things/:id" };',
            "packages/server/app.ts": """
                import express from "express";
                import { things } from "shared/routes";
                const app = express();
                app[things.method](things.path, (request, response) => response.send());
                app.listen(3000);
            """,
        }
    ) == {"GET /things/{id}"}


def test_groups_of_a_pattern_are_parameters() -> None:
    assert paths(
        {
            "app.js": """
                const app = require("express")();
                app.all(/(.+)/, (request, response) => response.sendStatus(404));
                app.get(/^\\/files\\/(\\d+)$/, (request, response) => response.send());
                app.listen(3000);
            """
        }
    ) == {"* /{0}", "GET /files/{0}"}


def test_routes_that_a_long_function_makes_of_what_classes_say() -> None:
    filler = "".join(f"const word{number} = describe('{number}');\n" for number in range(80))
    assert paths(
        {
            "app.ts": """
                import express from "express";
                import { Teams } from "./teams";
                import { tableOf } from "./tables";
                const app = express();
                [Teams].forEach((model) => {
                  tableOf(model.getConfig().api).forEach((route) => app[route.method](route.path, route.handler));
                });
                app.listen(80);
            """,
            "tables.ts": f"""
                const defaults = {{ get: {{ verb: "get", end: "/:id" }}, list: {{ verb: "get", end: "" }} }};
                export function tableOf(api) {{
                  {filler}
                  const result = [];
                  api.actions.map((action) => defaults[action]).forEach((each) => {{
                    result.push({{ method: each.verb, path: api.base + each.end, handler: wrap(api) }});
                  }});
                  return result;
                }}
            """,
            "teams.ts": """
                const modelOf = (config) => {
                  abstract class Model { static getConfig() { return config; } }
                  return Model;
                };
                export class Teams extends modelOf({ api: { base: "/teams", actions: ["get", "list"] } }) {}
            """,
        }
    ) == {"GET /teams/{id}", "GET /teams"}
