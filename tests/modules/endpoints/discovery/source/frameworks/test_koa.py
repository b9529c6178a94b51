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
