from backend.app.engine.spec.model import ParameterLocation
from tests.modules.endpoints.discovery.source.trees import paths, report, routes

WEB = "import org.springframework.web.bind.annotation.*;"
ROUTER = "import org.springframework.web.reactive.function.server.*;"


def test_classes_and_methods_with_arrays_constants_and_regular_expressions() -> None:
    assert paths(
        {
            "src/main/java/com/example/demo/Paths.java": """
                package com.example.demo;
                public interface Paths { String ROOT = "/api"; String SHOPS = ROOT + "/shops"; }
            """,
            "src/main/java/com/example/demo/ShopController.java": f"""
                package com.example.demo;
                {WEB}
                import static com.example.demo.Paths.SHOPS;
                @RestController
                @RequestMapping(value = {{SHOPS, Paths.ROOT + "/stores"}})
                public class ShopController {{
                    private static final String ITEM = "{{id:[a-z]{{3}}}}";
                    @GetMapping
                    public String all() {{ return ""; }}
                    @RequestMapping(path = ITEM, method = {{RequestMethod.PUT, RequestMethod.PATCH}})
                    public String change(@PathVariable String id) {{ return ""; }}
                    @DeleteMapping({{"/{{id:\\\\d+}}", "/by-name/{{name}}"}})
                    public void remove() {{}}
                    @RequestMapping("/any") Object any() {{ return null; }}
                }}
            """,
        }
    ) == {
        f"{method} /api/{root}{path}"
        for root in ("shops", "stores")
        for method, path in (
            ("GET", ""),
            ("PUT", "/{id}"),
            ("PATCH", "/{id}"),
            ("DELETE", "/{id}"),
            ("DELETE", "/by-name/{name}"),
            ("*", "/any"),
        )
    }


def test_kotlin_controllers_with_constants_of_other_files() -> None:
    assert paths(
        {
            "src/main/kotlin/shop/routes.kt": 'package shop\nconst val VERSION = "v1"\n',
            "src/main/kotlin/shop/Shop.kt": """
                package shop
                import org.springframework.web.bind.annotation.*
                @RestController
                @RequestMapping("/$VERSION/shops", produces = ["application/json"])
                class ShopController(private val shops: Shops) : Api by delegate {
                    companion object { const val ITEM = "/{id}" }
                    @GetMapping(value = ["", ITEM])
                    suspend fun read(@PathVariable id: Long?): Shop = if (id == null) { none() } else { shops.of(id) }
                    @RequestMapping(method = [RequestMethod.POST], path = arrayOf("${VERSION}-new"))
                    fun create() { listOf(1).forEach { println(it) } }
                }
                data class Shop(val id: Long)

                object Other { const val A = "a" }
                @Controller
                class Pages {
                    @GetMapping(Other.A) fun page() = "page"
                }
            """,
        }
    ) == {"GET /v1/shops", "GET /v1/shops/{id}", "POST /v1/shops/v1-new", "GET /a"}


def test_mappings_are_inherited_from_interfaces_and_base_classes() -> None:
    found = routes(
        {
            "src/main/java/shop/UsersApi.java": f"""
                package shop;
                {WEB}
                public interface UsersApi {{
                    String LIST = "/users";
                    @RequestMapping(method = RequestMethod.GET, value = LIST)
                    default String list(@RequestParam(value = "q", required = false) String q) {{ return ""; }}
                    @PostMapping(LIST) String create(@RequestBody User user);
                }}
            """,
            "src/main/java/shop/Crud.java": f"""
                package shop;
                {WEB}
                public abstract class Crud<T, I> {{
                    @GetMapping("/{{id}}") public T read(@PathVariable("id") I id) {{ return null; }}
                    @PutMapping("/{{id}}") public T write(@PathVariable("id") I id, @RequestBody T t) {{ return null; }}
                    @DeleteMapping("/{{id}}") public void remove(@PathVariable("id") I id) {{}}
                }}
            """,
            "src/main/java/shop/Controllers.java": f"""
                package shop;
                {WEB}
                @RestController @RequestMapping("/v1") class UserController implements UsersApi {{
                    @Override public String create(User user) {{ return ""; }}
                }}
                @RestController @RequestMapping("/items") class Items extends Crud<User, Long> {{
                    @Override @DeleteMapping("/gone/{{id}}") public void remove(Long id) {{}}
                }}
            """,
            "src/main/java/shop/User.java": "package shop; public record User(String name, int age) {}",
        }
    )
    assert {route.key for route in found} == {
        "GET /v1/users",
        "POST /v1/users",
        "GET /items/{id}",
        "PUT /items/{id}",
        "DELETE /items/gone/{id}",
    }
    create = next(route for route in found if route.key == "POST /v1/users")
    assert (create.handler, create.file) == ("UserController.create", "src/main/java/shop/UsersApi.java")
    user = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    write = next(route for route in found if route.method == "PUT")
    assert create.body
    assert write.body
    assert create.body.content[0].schema == write.body.content[0].schema == user
    assert write.parameters[0].schema == {"type": "integer"}


def test_composed_annotations_of_the_tree() -> None:
    assert paths(
        {
            "src/main/java/shop/ApiGet.java": """
                package shop;
                @RequestMapping(method = RequestMethod.GET)
                public @interface ApiGet {
                    @AliasFor(annotation = RequestMapping.class, attribute = "path") String[] value() default {};
                }
            """,
            "src/main/java/shop/AdminController.java": """
                package shop;
                @RestController @RequestMapping("/admin")
                public @interface AdminController {}
            """,
            "src/main/java/shop/Users.java": """
                package shop;
                @AdminController class Users { @ApiGet({"/users", "/people"}) String users() { return ""; } }
            """,
        }
    ) == {"GET /admin/users", "GET /admin/people"}


def test_clients_and_the_controllers_of_other_frameworks_are_no_routes() -> None:
    assert not paths(
        {
            "src/main/java/shop/Client.java": f"""
                package shop;
                {WEB}
                @FeignClient(name = "stock", path = "/stock")
                public interface Client {{ @GetMapping("/items") String items(); }}
            """,
            "src/main/java/shop/Base.java": f"""
                package shop;
                {WEB}
                @RestController public abstract class Base {{ @GetMapping("/base") String base() {{ return ""; }} }}
            """,
            "src/main/java/shop/Micronaut.java": """
                package shop;
                import io.micronaut.http.annotation.Controller;
                import io.micronaut.http.annotation.GetMapping;
                @Controller class Micronaut { @GetMapping("/other") String other() { return ""; } }
            """,
            "src/test/java/shop/TestController.java": f"""
                package shop;
                {WEB}
                @RestController class TestController {{ @GetMapping("/test") String test() {{ return ""; }} }}
            """,
        }
    )


CONTROLLER = f"""
    package shop;
    {WEB}
    @RestController class Hello {{ @GetMapping("${{app.root:/default}}/hello") String hello() {{ return ""; }} }}
"""


def test_context_path_and_placeholders_of_the_default_profile() -> None:
    hello = {"shop/src/main/java/shop/Hello.java": CONTROLLER}
    assert paths(hello) == {"GET /default/hello"}
    yaml = """
        server:
          port: 80
          servlet:
            context-path: "/${NAME:shop}/"  # where it is mounted
        spring:
          profiles:
            active: dev
          mvc: {contentnegotiation: {favor-parameter: true}}
        app:
          root: ${prefix.of.app}
        broken: @project.version@
        ---
        spring.config.activate.on-profile: prod
        server.servlet.context-path: /prod
    """
    assert paths(
        hello
        | {
            "shop/src/main/resources/application.yml": yaml,
            "shop/src/main/resources/application-dev.properties": "prefix.of.app=/dev\n",
            "shop/src/main/resources/application-prod.properties": "prefix.of.app=/prod\n",
            "shop/src/test/resources/application.yml": "server.servlet.context-path: /test\n",
        }
    ) == {"GET /shop/dev/hello"}
    unset = CONTROLLER.replace(":/default", "")
    (marked,) = routes({"src/main/java/shop/Hello.java": unset})
    assert marked.path == "/{app.root}/hello"
    assert "app.root" in marked.unresolved


def test_each_application_of_a_tree_has_its_own_context_path() -> None:
    files = {
        f"{name}/src/main/{path}": text
        for name in ("one", "two")
        for path, text in (
            ("java/shop/Hello.java", CONTROLLER),
            ("resources/application.properties", f"server.servlet.context-path=/{name}"),
        )
    }
    assert paths(files) == {"GET /one/default/hello", "GET /two/default/hello"}
    library = {"library/src/main/java/shop/Library.java": CONTROLLER.replace("hello", "library").replace("Hello", "L")}
    marked = [route for route in routes(files | library) if route.unresolved]
    assert [route.key for route in marked] == ["GET /default/library"]
    used = {"two/pom.xml": "<dependency><artifactId>library</artifactId></dependency>", "library/pom.xml": ""}
    assert "GET /two/default/library" in paths(files | library | used)
    called = {
        "two/pom.xml": "<dependency><artifactId>shop-library</artifactId></dependency>",
        "library/pom.xml": """
            <parent><artifactId>shop</artifactId></parent>
            <artifactId>shop-library</artifactId>
            <dependencies><dependency><artifactId>spring-web</artifactId></dependency></dependencies>
        """,
    }
    assert "GET /two/default/library" in paths(files | library | called)
    examples = {path.replace("two/", "examples/two/"): text for path, text in files.items()}
    assert paths(examples | library) == {"GET /one/default/hello", "GET /one/default/library"}


def test_prefixes_that_configure_path_match_adds() -> None:
    assert paths(
        {
            "src/main/java/shop/WebConfiguration.java": """
                package shop;
                @Configuration class WebConfiguration implements WebMvcConfigurer {
                    private final Properties properties = new Properties();
                    @Override public void configurePathMatch(PathMatchConfigurer configurer) {
                        add(configurer, properties.getAdmin());
                        configurer.addPathPrefix("/api", HandlerTypePredicate.forAnnotation(RestController.class));
                    }
                    private void add(PathMatchConfigurer configurer, Properties.Part part) {
                        configurer.addPathPrefix(part.getPrefix(), c -> c.isAnnotationPresent(RestController.class)
                            && matcher.match(part.getPackages(), c.getPackage().getName()));
                    }
                }
            """,
            "src/main/java/shop/Properties.java": """
                package shop;
                @ConfigurationProperties(prefix = "shop")
                class Properties {
                    private Part admin = new Part("/admin", "**.admin.**");
                    static class Part { private String prefix; private String packages; }
                }
            """,
            "src/main/java/shop/admin/web/Users.java": """
                package shop.admin.web;
                @RestController class Users { @GetMapping("/users") String users() { return ""; } }
            """,
            "src/main/java/shop/Items.java": """
                package shop;
                @RestController class Items { @GetMapping("/items") String items() { return ""; } }
            """,
            "src/main/java/shop/Pages.java": """
                package shop;
                @Controller class Pages { @GetMapping("/page") String page() { return "page"; } }
            """,
        }
    ) == {"GET /admin/users", "GET /api/items", "GET /page"}


def test_router_functions_in_java() -> None:
    assert paths(
        {
            "src/main/java/shop/Routes.java": f"""
                package shop;
                {ROUTER}
                @Configuration class Routes {{
                    static final String BASE = "/v2";
                    @Bean RouterFunction<ServerResponse> built(Handler handler) {{
                        return RouterFunctions.route()
                            .GET("/a", handler::a)
                            .path("/b", b -> b.POST("/c", accept(JSON), handler::c).DELETE(handler::all))
                            .nest(path(BASE), n -> n.add(inner(handler)))
                            .filter((request, next) -> next.handle(request))
                            .build();
                    }}
                    private RouterFunction<ServerResponse> inner(Handler handler) {{
                        return route(GET("/inner/{{id:\\\\d+}}").and(accept(JSON)), handler::inner);
                    }}
                    @Bean RouterFunction<ServerResponse> nested() {{
                        return nest(path("/n"), route(method(HttpMethod.PUT), h).andRoute(POST("/x"), h));
                    }}
                }}
            """
        }
    ) == {"GET /a", "POST /b/c", "DELETE /b", "GET /v2/inner/{id}", "PUT /n", "POST /n/x"}


def test_router_functions_in_kotlin() -> None:
    found = routes(
        {
            "src/main/kotlin/shop/Routes.kt": """
                package shop
                @Configuration
                class Routes(private val handler: Handler) {
                    @Bean
                    fun routes() = coRouter {
                        "/api".nest {
                            accept(JSON).nest { GET("/a", handler::a) }
                            (path("/b") and accept(JSON)).nest { POST("/c") { handler.c(it) } }
                            PUT("/d").invoke(handler::d)
                        }
                    }
                }
                fun elsewhere(handler: Handler): RouterFunction<ServerResponse> = router { DELETE("/e", handler::e) }
            """
        }
    )
    assert {route.key for route in found if not route.unresolved} == {"GET /api/a", "POST /api/b/c", "PUT /api/d"}
    assert [route.key for route in found if route.unresolved] == ["DELETE /e"]


def test_parameters_bodies_and_what_guards_a_route() -> None:
    (route,) = routes(
        {
            "src/main/java/shop/Items.java": f"""
                package shop;
                {WEB}
                @RestController @Tag(name = "items") class Items {{
                    @Deprecated @PreAuthorize("hasRole('ADMIN')") @PostMapping("/shops/{{shop}}/items")
                    void add(@PathVariable("shop") UUID id, @RequestParam(defaultValue = "1") int count, Pageable page,
                             @RequestHeader("X-Trace") Optional<String> trace, @RequestBody(required = false) Item item,
                             HttpServletRequest request) {{}}
                }}
            """,
            "src/main/java/shop/Item.java": """
                package shop;
                class Item extends Base { @NotBlank private String name; @JsonProperty("labels") List<Label> all;
                    static int COUNT = 0; @JsonIgnore int secret; Item parent; }
                class Base { private Instant created; }
                enum Label { A, B }
            """,
        }
    )
    assert (route.requires_auth, route.deprecated, route.tags) == (True, True, ("items",))
    assert [(each.name, each.location, each.required) for each in route.parameters] == [
        ("shop", ParameterLocation.PATH, True),
        ("count", ParameterLocation.QUERY, False),
        ("page", ParameterLocation.QUERY, False),
        ("size", ParameterLocation.QUERY, False),
        ("sort", ParameterLocation.QUERY, False),
        ("X-Trace", ParameterLocation.HEADER, False),
    ]
    assert route.parameters[0].schema == {"type": "string", "format": "uuid"}
    assert route.body
    assert not route.body.required
    schema = route.body.content[0].schema
    assert isinstance(schema, dict)
    assert schema["required"] == ["name"]
    assert set(schema["properties"]) == {"created", "name", "labels", "parent"}
    assert schema["properties"]["labels"] == {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}}


def test_what_cannot_be_read_is_reported() -> None:
    found = report(
        {
            "src/main/java/shop/Generated.java": f"""
                package shop;
                {WEB}
                import shop.api.UsersApi;
                @RestController class Generated implements UsersApi {{}}
            """,
            "src/main/java/shop/People.java": """
                package shop;
                @RepositoryRestResource(path = "people") interface People extends JpaRepository<Person, Long> {}
            """,
            "src/main/java/shop/Broken.java": f"""
                package shop;
                {WEB}
                @RestController class Broken {{ @GetMapping("/ok") String ok() {{ return ""; }}
                    void broken( {{ ]]] }}
                }}
            """,
            "src/main/java/shop/Unknown.java": f"""
                package shop;
                {WEB}
                @RestController class Unknown {{ @GetMapping(Library.PATH + "/x") String x() {{ return ""; }} }}
            """,
        }
    )
    assert {fault.file.rpartition("/")[2] for fault in found.faults} == {
        "Generated.java",
        "People.java",
        "Broken.java",
    }
    assert [(route.key, bool(route.unresolved)) for route in found.routes if "x" in route.path] == [
        ("GET /{PATH}/x", True)
    ]


def test_interfaces_that_are_generated_from_a_description_in_the_tree() -> None:
    found = routes(
        {
            "src/main/resources/openapi.yml": """
                openapi: 3.0.3
                info: {title: Shop, version: "1"}
                servers: [{url: http://localhost/elsewhere}]
                paths:
                  /owners/{id}:
                    put:
                      tags: [owner-v2]
                      operationId: save-owner
                      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
                      requestBody:
                        content: {application/json: {schema: {$ref: "#/components/schemas/Owner"}}}
                      responses: {"200": {description: ok}}
                  /pets:
                    get: {tags: [pets], operationId: pets, responses: {"200": {description: ok}}}
                components:
                  schemas:
                    Owner: {type: object, properties: {next: {$ref: "#/components/schemas/Owner"}}}
            """,
            "pom.xml": "<configOptions><useTags>true</useTags></configOptions>",
            "src/main/java/shop/Owners.java": f"""
                package shop;
                {WEB}
                import shop.api.OwnerV2Api;
                @RestController @RequestMapping("/api") class Owners implements OwnerV2Api {{
                    @PreAuthorize("isAuthenticated()")
                    @Override public ResponseEntity<Owner> saveOwner(Integer id, Owner owner) {{ return null; }}
                }}
            """,
        }
    )
    assert [(route.key, route.handler, route.requires_auth) for route in found] == [
        ("PUT /api/owners/{id}", "Owners.saveOwner", True)
    ]
    assert found[0].body is not None
    assert found[0].body.content[0].schema == {"type": "object", "properties": {"next": True}}


def test_elements_of_composed_annotations_that_are_aliases_of_each_other() -> None:
    assert paths(
        {
            "src/main/java/shop/Get.java": """
                package shop;
                @RequestMapping(method = RequestMethod.GET)
                public @interface Get {
                    @AliasFor(attribute = "path") String[] value() default "";
                    @AliasFor(attribute = "value") String[] path() default "";
                }
            """,
            "src/main/java/shop/Users.java": """
                package shop;
                @RestController class Users { @Get("/users") String users() { return ""; } }
            """,
        }
    ) == {"GET /users"}


def test_prefixes_that_a_handler_mapping_is_made_with() -> None:
    assert paths(
        {
            "src/main/java/shop/WebConfiguration.java": """
                package shop;
                @Configuration class WebConfiguration {
                    @Bean public WebMvcRegistrations registrations(Properties properties) {
                        return new WebMvcRegistrations() {
                            @Override public RequestMappingHandlerMapping getRequestMappingHandlerMapping() {
                                RequestMappingHandlerMapping mapping = new RequestMappingHandlerMapping();
                                mapping.setPathPrefixes(prefixes());
                                return mapping;
                            }
                            private Map<String, Predicate<Class<?>>> prefixes() {
                                Map<String, Predicate<Class<?>>> pathPrefixes = new HashMap<>();
                                pathPrefixes.put("/api", c -> c.isAnnotationPresent(RestController.class));
                                return pathPrefixes;
                            }
                        };
                    }
                }
            """,
            "src/main/java/shop/Items.java": """
                package shop;
                @RestController class Items { @GetMapping("/items") String items() { return ""; } }
            """,
        }
    ) == {"GET /api/items"}


def test_paths_that_dispatcher_servlets_are_mapped_to() -> None:
    def initializer(name: str, mapping: str, scan: str) -> str:
        return f"""
            package shop.start;
            public class {name} extends AbstractAnnotationConfigDispatcherServletInitializer {{
                Class<?>[] getServletConfigClasses() {{ return new Class[] {{ {name}Config.class }}; }}
                String[] getServletMappings() {{ return new String[] {{ {mapping} }}; }}
            }}
            {scan} class {name}Config {{ }}
        """

    def controller(package: str) -> str:
        return f'package {package}; {WEB} @RestController class Hello {{ @GetMapping("/hello") String a() {{}} }}'

    api = {"web/src/main/java/shop/api/Hello.java": controller("shop.api")}
    pages = {"web/src/main/java/shop/pages/Hello.java": controller("shop.pages")}
    below_api = initializer("Api", '"/api/*"', '@ComponentScan("shop.api")')
    at_root = initializer("Pages", '"/"', '@ComponentScan(basePackages = "shop")')
    start = "web/src/main/java/shop/start"
    assert paths(api | {f"{start}/Api.java": initializer("Api", '"/api/*"', "")}) == {"GET /api/hello"}
    assert paths(api | pages | {f"{start}/Api.java": below_api, f"{start}/Pages.java": at_root}) == {
        "GET /api/hello",
        "GET /hello",
    }
    computed = initializer("Api", "Paths.of(root)", "")
    (marked,) = routes(api | {f"{start}/Api.java": computed})
    assert marked.unresolved

    descriptor = """
        <web-app>
          <!-- <servlet-mapping><servlet-name>api</servlet-name><url-pattern>/old/*</url-pattern></servlet-mapping> -->
          <servlet>
            <servlet-name>api</servlet-name>
            <servlet-class>org.springframework.web.servlet.DispatcherServlet</servlet-class>
          </servlet>
          <servlet><servlet-name>other</servlet-name><servlet-class>shop.Other</servlet-class></servlet>
          <servlet-mapping><servlet-name>other</servlet-name><url-pattern>/other/*</url-pattern></servlet-mapping>
          <servlet-mapping>
            <servlet-name>api</servlet-name>
            <url-pattern>/rest/*</url-pattern>
          </servlet-mapping>
        </web-app>
    """
    web_xml = "web/src/main/webapp/WEB-INF/web.xml"
    assert paths(api | {web_xml: descriptor}) == {"GET /rest/hello"}
    assert paths(api | {web_xml: descriptor.replace("/rest/*", "*.do")}) == {"GET /hello"}
