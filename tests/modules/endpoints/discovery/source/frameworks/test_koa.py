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
