from tests.modules.endpoints.discovery.source.trees import paths, routes

USERS = """
    import { Authorized, Body, Delete, Get, JsonController, Method, Param, Post } from 'routing-controllers';
    abstract class Readable {
      @Get('/count')
      count() {}
    }
    @JsonController('/users')
    export class UserController extends Readable {
      @Get()
      list() {}
      @Authorized('admin')
      @Delete('/:id')
      remove(@Param('id') id: number) {}
      @Method('purge', '/cache')
      purge() {}
    }
"""


def test_controllers_that_are_listed_and_the_decorators_of_those_they_extend() -> None:
    found = routes(
        {
            "src/app.ts": """
                import { createExpressServer } from 'routing-controllers';
                import { UserController } from './users';
                import { allowed } from './auth';
                createExpressServer({
                  routePrefix: '/api', controllers: [UserController], authorizationChecker: allowed,
                }).listen(3000);
            """,
            "src/users.ts": USERS,
            "src/other.ts": """
                import { Controller, Get } from 'routing-controllers';
                @Controller('/other')
                export class OtherController { @Get() list() {} }
            """,
        }
    )
    assert {route.key: route.requires_auth for route in found} == {
        "GET /api/users": None,
        "GET /api/users/count": None,
        "DELETE /api/users/{id}": True,
        "PURGE /api/users/cache": None,
    }
    assert {route.handler for route in found} >= {"UserController.list", "UserController.remove"}
    assert {(route.file, route.framework) for route in found} == {("src/users.ts", "express")}


def test_controllers_of_files_and_of_settings_on_an_application_of_koa() -> None:
    assert paths(
        {
            ".env.example": "PREFIX=/v1\n",
            "src/app.ts": """
                import Koa from 'koa';
                import path from 'path';
                import { useKoaServer } from 'routing-controllers';
                const app = new Koa();
                useKoaServer(app, {
                  routePrefix: process.env.PREFIX,
                  controllers: [path.join(__dirname, 'controllers', '**', '*Controller.js')],
                });
                app.listen(80);
            """,
            "src/controllers/a/UserController.ts": USERS,
        }
    ) == {"GET /v1/users", "GET /v1/users/count", "DELETE /v1/users/{id}", "PURGE /v1/users/cache"}


def test_all_controllers_when_those_given_are_not_known() -> None:
    assert paths(
        {
            "src/loader.ts": """
                import { createExpressServer } from 'routing-controllers';
                export const loader = (settings) => { createExpressServer({ controllers: settings.get('all') }); };
            """,
            "src/things.ts": """
                import { Get, JsonController } from 'routing-controllers';
                @JsonController()
                export class Things { @Get('/things') list() {} }
            """,
        }
    ) == {"GET /things"}


def test_routers_that_map_classes_and_folders() -> None:
    assert paths(
        {
            "src/app.ts": """
                import Koa from 'koa';
                import { SwaggerRouter } from 'koa-swagger-decorator';
                import { Status } from './status';
                const router = new SwaggerRouter({ prefix: '/api' });
                router.swagger({ swaggerHtmlEndpoint: '/docs' });
                router.map(Status);
                router.mapDir(__dirname + '/api');
                router.get('/plain', plain);
                new Koa().use(router.routes()).listen(80);
            """,
            "src/status.ts": """
                import { request, summary } from 'koa-swagger-decorator';
                export class Status { @request('get', '/status') @summary('s') static async read(ctx) {} }
            """,
            "src/api/users.ts": """
                import { prefix, request, tags } from 'koa-swagger-decorator';
                const tag = tags(['user']);
                @prefix('/users')
                export default class Users {
                  @request('delete', '/{id}')
                  @tag
                  async remove(ctx) {}
                }
            """,
            "src/api/users.spec.ts": "throw new Error();",
        }
    ) == {
        "GET /api/docs",
        "GET /api/swagger-json",
        "GET /api/status",
        "DELETE /api/users/{id}",
        "GET /api/plain",
    }


def test_controllers_of_a_container_belong_to_the_server_of_their_package() -> None:
    found = routes(
        {
            "a/package.json": '{"name": "a"}',
            "a/bin/server.ts": """
                import '../src/users';
                import { InversifyExpressServer } from 'inversify-express-utils';
                const server = new InversifyExpressServer(container, null, { rootPath: '/v1' });
                server.setConfig((app) => { app.use(json()); app.get('/health', health); });
                server.build().listen(80);
            """,
            "a/src/users.ts": """
                import { controller, httpDelete, httpGet } from 'inversify-express-utils';
                @controller('/users')
                export class Users {
                  @httpGet('/') list() {}
                  @httpDelete('/:id', TYPES.AuthMiddleware) remove() {}
                }
            """,
            "b/package.json": '{"name": "b"}',
            "b/server.ts": """
                import { controller, httpPost, InversifyExpressServer } from 'inversify-express-utils';
                @controller('/files')
                class Files { @httpPost('') create() {} }
                new InversifyExpressServer(container).build().listen(81);
            """,
        }
    )
    assert {route.key: route.requires_auth for route in found} == {
        "GET /health": None,
        "GET /v1/users/": None,
        "DELETE /v1/users/{id}": True,
        "POST /files": None,
    }
