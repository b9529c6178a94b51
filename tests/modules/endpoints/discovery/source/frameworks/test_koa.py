from tests.modules.endpoints.discovery.source.trees import paths


def test_prefixes_names_and_nested_routers() -> None:
    assert paths(
        {
            "app.js": """
                const Koa = require('koa');
                const mount = require('koa-mount');
                const router = require('./router');
                const admin = require('./admin');
                const app = new Koa();
                app.use(router.routes()).use(router.allowedMethods());
                app.use(mount('/admin', admin));
            """,
            "router.js": """
                const Router = require('@koa/router');
                const users = require('./users');
                const api = new Router({ prefix: '/api' });
                api.use('/v1', users.routes(), users.allowedMethods());
                api.get('home', '/', home);
                api.register('/raw', ['GET', 'POST'], raw);
                module.exports = api;
            """,
            "users.js": """
                const Router = require('koa-router');
                const router = new Router();
                router.prefix('/users');
                router.get('/:id', auth(), read).del('/:id', remove);
                router.all(['/any', '/every'], any);
                module.exports = router;
            """,
            "admin.js": """
                const Koa = require('koa');
                const Router = require('koa-router');
                const compose = require('koa-compose');
                class Admin extends Koa {
                  constructor() {
                    super();
                    const router = new Router();
                    router.get('/stats', stats);
                    this.use(compose([router.routes()]));
                  }
                }
                module.exports = new Admin();
            """,
        }
    ) == {
        "GET /api/v1/users/{id}",
        "DELETE /api/v1/users/{id}",
        "* /api/v1/users/any",
        "* /api/v1/users/every",
        "GET /api",
        "GET /api/raw",
        "POST /api/raw",
        "GET /admin/stats",
    }


def test_folders_of_routers_and_wrapped_applications() -> None:
    assert paths(
        {
            "package.json": "{}",
            "app.js": """
                import Koa from 'koa';
                import websockify from 'koa-websocket';
                const loaded = require('./loaded');
                const router = require('./router');
                const app = websockify(new Koa());
                app.use(router.routes());
                loaded(app);
            """,
            "router.js": """
                import Router from 'koa-router';
                const router = new Router();
                router.get('/users', list);
                module.exports = router;
            """,
            "loaded.js": """
                const Router = require('koa-router');
                const requireDirectory = require('require-directory');
                module.exports = app => requireDirectory(module, `${process.cwd()}/api`, {
                  visit: found => { if (found instanceof Router) app.use(found.routes()); },
                });
            """,
            "api/posts.js": """
                const Router = require('koa-router');
                const router = new Router({ prefix: '/posts' });
                router.post('/', create);
                module.exports = router;
            """,
        }
    ) == {"GET /users", "POST /posts"}


def test_services_are_started_by_name_and_make_their_application_when_none_is_given() -> None:
    assert paths(
        {
            "main.ts": """
                import Koa from 'koa';
                import services from './services';
                for (const name of process.env.SERVICES.split(',')) {
                  const start = services[name];
                  start(new Koa());
                }
            """,
            "services.ts": "import web from './web';\nimport hooks from './hooks';\nexport default { web, hooks };",
            "web.ts": """
                import Koa from 'koa';
                import Router from 'koa-router';
                export default function init(app: Koa = new Koa()) {
                  const router = new Router();
                  router.get('/pages', show);
                  app.use(router.routes());
                }
            """,
            "hooks.ts": """
                import Koa from 'koa';
                import Router from 'koa-router';
                export default function init(app: Koa = new Koa()) {
                  const router = new Router();
                  router.post('/hooks', take);
                  app.use(router.routes());
                }
            """,
        }
    ) == {"GET /pages", "POST /hooks"}


def test_decorators_of_the_program_that_note_routes_in_a_list() -> None:
    assert paths(
        {
            "src/routing.ts": """
                import 'reflect-metadata';
                import path from 'path';
                import Router from 'koa-router';
                const BASE = Symbol('base');
                const noted: { method: string; path: () => string; handlers: Function[] }[] = [];
                export const Controller = (base: string): ClassDecorator => (target) => {
                  Reflect.defineMetadata(BASE, base, target.prototype);
                };
                const verb = (method: string) => (at: string) => (target: any, key: string, descriptor: any) => {
                  noted.push({
                    method,
                    path: () => path.posix.join('/', Reflect.getMetadata(BASE, target), at),
                    handlers: Array.isArray(target[key]) ? target[key] : [target[key]],
                  });
                };
                export const Get = verb('get');
                export const Post = verb('post');
                export const Guarded = (check: Function) => (target: any, key: string) => {
                  target[key] = [check, target[key]];
                };
                export function build() {
                  const router = new Router();
                  for (const each of noted) router[each.method](each.path(), ...each.handlers);
                  return router;
                }
            """,
            "src/users.ts": """
                import { Controller, Get, Guarded, Post } from './routing';
                @Controller('users')
                export class Users {
                  @Get('/:id')
                  async read(ctx: any) {}
                  @Post('')
                  @Guarded(auth)
                  async create(ctx: any) {}
                }
            """,
            "src/app.ts": """
                import Koa from 'koa';
                import { build } from './routing';
                import './users';
                const app = new Koa();
                app.use(build().routes());
                app.listen(3000);
            """,
        }
    ) == {"GET /users/{id}", "POST /users"}


def test_decorators_that_note_routes_by_class() -> None:
    assert paths(
        {
            "src/index.ts": """
                import Koa from 'koa';
                import Router from '@koa/router';
                const routes = new Map<Function, [string, string][]>();
                function Get(path: string) {
                  return (target: any, key: string) => {
                    if (!routes.has(target.constructor)) routes.set(target.constructor, []);
                    routes.get(target.constructor)!.push([path, key]);
                  };
                }
                class Base { @Get('/health') health() {} }
                class Things extends Base { @Get('/things') list() {} @Get('/things/:id') read() {} }
                const router = new Router();
                for (const controller of [new Base(), new Things()]) {
                  for (const [path, key] of routes.get(controller.constructor)) router.get(path, controller[key]);
                }
                new Koa().use(router.routes()).listen(80);
            """,
        }
    ) == {"GET /health", "GET /things", "GET /things/{id}"}


def test_routes_that_are_declared_again_under_a_prefix() -> None:
    assert paths(
        {
            "router/index.js": """
                const fs = require('fs');
                const Router = require('koa-router');
                module.exports = (app) => {
                  fs.readdirSync(__dirname).forEach((file) => {
                    if (file === 'index.js') return;
                    const whole = new Router({ prefix: '/api' });
                    require(`./${file}`).stack.forEach((route) => {
                      route.methods.forEach((method) => whole[method.toLowerCase()](route.path, ...route.stack));
                    });
                    app.use(whole.routes());
                  });
                };
            """,
            "router/things.js": """
                const Router = require('koa-router');
                const router = new Router({ prefix: '/things' });
                router.post('/', create);
                router.use('/:id', inner().routes());
                function inner() { const below = new Router(); below.delete('/all', drop); return below; }
                module.exports = router;
            """,
            "app.js": """
                const Koa = require('koa');
                const app = new Koa();
                require('./router')(app);
                app.listen(80);
            """,
        }
    ) == {"POST /api/things", "DELETE /api/things/{id}/all"}


def test_folders_of_modules_that_a_bundler_knows() -> None:
    assert paths(
        {
            "src/routes.ts": """
                import combine from 'koa-combine-routers';
                const files = require.context('./modules', true, /\\.ts$/);
                export default combine(files.keys().reduce((all, key) => all.concat(files(key).default), []));
            """,
            "src/modules/a.ts": "import R from 'koa-router'; const r = new R(); r.get('/a', h); export default r;",
            "src/modules/deep/b.ts": "import R from 'koa-router'; const r = new R(); r.get('/b', h); export default r;",
            "src/modules/c.json": "{}",
            "src/app.ts": """
                import Koa from 'koa';
                import { pipe } from 'fp-ts/function';
                import routes from './routes';
                const withRoutes = (prefix) => (app) => app.use(routes());
                pipe(new Koa(), withRoutes('/'), (app) => app.listen(80));
            """,
        }
    ) == {"GET /a", "GET /b"}
