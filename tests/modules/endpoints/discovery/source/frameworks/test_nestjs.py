from tests.modules.endpoints.discovery.source.trees import paths, report, routes

MAIN = """
    import { NestFactory } from '@nestjs/core';
    import { VersioningType, RequestMethod, VERSION_NEUTRAL } from '@nestjs/common';
    import { AppModule } from './app.module';
    async function bootstrap() {
      const app = await NestFactory.create(AppModule);
      app.setGlobalPrefix('api', { exclude: ['health', { path: 'metrics', method: RequestMethod.GET }] });
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: VERSION_NEUTRAL });
      await app.listen(3000);
    }
    bootstrap();
"""


def test_controllers_below_prefix_versions_and_module_paths() -> None:
    assert paths(
        {
            "src/main.ts": MAIN,
            "src/app.module.ts": """
                import { Module } from '@nestjs/common';
                import { RouterModule } from '@nestjs/core';
                import { UsersModule } from './users.module';
                import { StatusController } from './status.controller';
                @Module({
                  imports: [UsersModule.register(), RouterModule.register([{ path: 'account', module: UsersModule }])],
                  controllers: [StatusController],
                })
                export class AppModule {}
            """,
            "src/users.module.ts": """
                import { Module } from '@nestjs/common';
                import { UsersController } from './users.controller';
                @Module({})
                export class UsersModule {
                  static register() { return { module: UsersModule, controllers: [UsersController] }; }
                }
            """,
            "src/users.controller.ts": """
                import { Controller, Get, Post, Version } from '@nestjs/common';
                import { ReadController } from './read.controller';
                @Controller({ path: 'users', version: ['1', '2'] })
                export class UsersController extends ReadController {
                  @Post(['', 'new']) create() {}
                  @Version('3') @Get('search') search() {}
                }
            """,
            "src/read.controller.ts": """
                import { Get } from '@nestjs/common';
                export abstract class ReadController { @Get(':id') read() {} }
            """,
            "src/status.controller.ts": """
                import { All, Controller, Get } from '@nestjs/common';
                @Controller()
                export class StatusController {
                  @Get('health') health() {}
                  @Get('/metrics') metrics() {}
                  @All() root() {}
                }
            """,
        }
    ) == {
        "POST /api/v1/account/users",
        "POST /api/v1/account/users/new",
        "POST /api/v2/account/users",
        "POST /api/v2/account/users/new",
        "GET /api/v3/account/users/search",
        "GET /api/v1/account/users/{id}",
        "GET /api/v2/account/users/{id}",
        "GET /health",
        "GET /metrics",
        "* /api",
    }


def test_guards_and_decorators_of_the_application() -> None:
    found = routes(
        {
            "main.ts": "import { NestFactory } from '@nestjs/core'; import { M } from './m'; NestFactory.create(M);",
            "m.ts": """
                import { Module, Controller, Get, UseGuards, applyDecorators } from '@nestjs/common';
                import { Endpoint, Public } from './decorators';
                import { JwtAuthGuard } from './guards';
                @UseGuards(JwtAuthGuard)
                @Controller('books')
                class Books {
                  @Get() list() {}
                  @Public() @Get('covers') covers() {}
                  @Endpoint('one/:id') one() {}
                }
                @Module({ controllers: [Books] })
                export class M {}
            """,
            "decorators.ts": """
                import { applyDecorators, Put, SetMetadata } from '@nestjs/common';
                export const Public = () => SetMetadata('public', true);
                export function Endpoint(path: string) { return applyDecorators(Put(path)); }
            """,
        }
    )
    assert {(route.key, route.handler, route.requires_auth) for route in found} == {
        ("GET /books", "Books.list", True),
        ("GET /books/covers", "Books.covers", False),
        ("PUT /books/one/{id}", "Books.one", True),
    }


def test_a_controller_of_no_module_is_marked() -> None:
    (route,) = routes(
        {"c.ts": "import { Controller, Get } from '@nestjs/common';\n@Controller('x') class C { @Get() g() {} }"}
    )
    assert route.key == "GET /x"
    assert route.unresolved


def test_decorators_of_the_same_name_from_elsewhere_are_not_ours() -> None:
    assert not routes(
        {"c.ts": "import { Controller, Get } from 'other';\n@Controller('x') class C { @Get('/y') g() {} }"}
    )


def test_the_prefix_comes_from_the_settings() -> None:
    assert paths(
        {
            "src/main.ts": """
                import { NestFactory } from '@nestjs/core';
                import { ConfigService } from '@nestjs/config';
                import { AppModule } from './app.module';
                async function bootstrap() {
                  const app = await NestFactory.create(AppModule);
                  const config = app.get(ConfigService);
                  app.setGlobalPrefix(config.getOrThrow('app.prefix', { infer: true }));
                }
                void bootstrap();
            """,
            "src/app.module.ts": """
                import { Controller, Get, Module } from '@nestjs/common';
                import { ConfigModule } from '@nestjs/config';
                import app from './app.config';
                @Controller('things')
                class Things { @Get() list() {} }
                @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, load: [app] })], controllers: [Things] })
                export class AppModule {}
            """,
            "src/app.config.ts": """
                import { registerAs } from '@nestjs/config';
                export default registerAs('app', () => ({ prefix: process.env.API_PREFIX }));
            """,
            ".env.example": "PORT=3000\nAPI_PREFIX='rest'\n",
        }
    ) == {"GET /rest/things"}


def test_controllers_that_only_imports_lead_to() -> None:
    found = routes(
        {
            "main.ts": "import { NestFactory } from '@nestjs/core'; import { M } from './m'; NestFactory.create(M);",
            "m.ts": """
                import { Module } from '@nestjs/common';
                import { Sample } from './sample/sample.controller';
                @Module({ controllers: [Sample] })
                export class M {}
            """,
            "sample/sample.controller.ts": """
                import { Get } from '@nestjs/common';
                import { ApiController } from '../api-controller';
                @ApiController('sample')
                export class Sample { @Get() get() {} }
            """,
            "api-controller.ts": """
                import { Controller } from '@nestjs/common';
                export const ApiController = (path: string) => Controller(`/api/v3/${path}`);
            """,
            "unused.ts": """
                import { Controller, Get, Module } from '@nestjs/common';
                @Controller('unused') class Unused { @Get() get() {} }
                @Module({ controllers: [Unused] }) export class UnusedModule {}
            """,
        }
    )
    assert [(route.key, bool(route.unresolved)) for route in found] == [
        ("GET /api/v3/sample", False),
        ("GET /unused", True),
    ]


def test_an_application_that_never_listens_serves_nothing() -> None:
    assert paths(
        {
            "src/main.ts": """
                import { NestFactory } from '@nestjs/core';
                import { AppModule } from './app.module';
                async function bootstrap() {
                  const settings = await NestFactory.create(AppModule);
                  const port = settings.get(Settings).port;
                  await settings.close();
                  const app = await NestFactory.create(AppModule);
                  app.setGlobalPrefix('api');
                  await app.listen(port);
                }
                bootstrap();
            """,
            "src/app.module.ts": """
                import { Controller, Get, Module } from '@nestjs/common';
                @Controller('users')
                export class Users { @Get() list() {} }
                const signedIn = [Users];
                @Module({ controllers: process.env.WORKER ? [] : [...signedIn] })
                export class AppModule {}
            """,
        }
    ) == {"GET /api/users"}


def test_modules_under_a_condition_are_taken() -> None:
    assert paths(
        {
            "src/main.ts": """
                import { NestFactory } from '@nestjs/core';
                import { AppModule } from './app.module';
                async function bootstrap() { await (await NestFactory.create(AppModule)).listen(3000); }
                bootstrap();
            """,
            "src/app.module.ts": """
                import { Controller, Get, Module } from '@nestjs/common';
                import { ConditionalModule } from '@nestjs/config';
                @Controller('login') class LoginController { @Get() login() {} }
                @Module({ controllers: [LoginController] }) class LoginModule {}
                @Module({ imports: [ConditionalModule.registerWhen(LoginModule, (env) => env.LOGIN.includes('on'))] })
                export class AppModule {}
            """,
        }
    ) == {"GET /login"}


def test_a_decorator_that_takes_too_many_steps_costs_no_route() -> None:
    schemas = "\n".join(f"export const schema{number} = make({number});" for number in range(3_000))
    found = report(
        {
            "src/things.controller.ts": """
                import { Controller, Get, Query } from '@nestjs/common';
                import { schema1 } from '../schemas';
                @Controller('things')
                export class ThingsController { @Get() list(@Query(new Pipe(schema1.sort())) query: string) {} }
            """,
            "schemas.ts": f"import {{ make }} from 'elsewhere';\n{schemas}",
        }
    )
    assert [route.key for route in found.routes] == ["GET /things"]


def test_several_default_versions_and_a_prefix_of_merged_settings() -> None:
    assert paths(
        {
            "src/main.ts": """
                import { NestFactory } from '@nestjs/core';
                import { Module, Controller, Get, VERSION_NEUTRAL, VersioningType } from '@nestjs/common';
                import { get } from './config';
                @Controller('users')
                class Users { @Get() list() {} }
                @Module({ controllers: [Users] })
                class AppModule {}
                const server = get('server');
                async function bootstrap() {
                  const app = await NestFactory.create(AppModule);
                  app.setGlobalPrefix(server.prefix);
                  app.enableVersioning({ type: VersioningType.URI, defaultVersion: ['1', VERSION_NEUTRAL] });
                  await app.listen(server.port);
                }
                bootstrap();
            """,
            "src/config.ts": """
                import { cloneDeep, merge } from 'lodash';
                const defaults = { server: { prefix: 'api', port: 80 } };
                const development = { server: { port: 3000 } };
                const config = cloneDeep(defaults);
                merge(config, process.env.NODE_ENV === 'production' ? {} : development);
                export const get = (key) => (key ? config[key] : config);
            """,
        }
    ) == {"GET /api/v1/users", "GET /api/users"}


def test_paths_of_modules_in_a_ring_and_a_program_without_end_cost_no_routes() -> None:
    files = {
        "main.ts": """
            import { Controller, Get, Module } from '@nestjs/common';
            import { NestFactory, RouterModule } from '@nestjs/core';
            const named = () => 'get' + 'All';
            @Controller('cats')
            class Cats { @Get('all') [named()]() {} @Get(`${named()}`) one() {} }
            const ring = { path: 'r', children: [] };
            ring.children.push(ring);
            @Module({ imports: [RouterModule.register([ring])], controllers: [Cats] })
            class AppModule {}
            NestFactory.create(AppModule).then((app) => app.listen(1));
            while (true) { for (const a of [1, 2]) for (const b of [1, 2]) for (let i = 0; i < 300; i++) named(); }
        """
    }
    assert {(route.key, route.handler) for route in report(files).routes} == {
        ("GET /cats/all", "Cats.getAll"),
        ("GET /cats/getAll", "Cats.one"),
    }
