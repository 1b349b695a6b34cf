import RedisClient
import Testing

@Suite struct RedisURLTests {
    private func host(_ name: String, _ port: Int) -> RedisEndpoint { .host(name, port: port) }

    @Test func singleServers() throws {
        #expect(try RedisURL("redis://h") == RedisURL(topology: .single(host("h", 6379))))
        #expect(
            try RedisURL("rediss://bob:p%40ss%3A%2F@h:1/7")
                == RedisURL(
                    topology: .single(host("h", 1)),
                    credentials: RedisCredentials(username: "bob", password: "p@ss:/"), database: 7, usesTLS: true))
        #expect(try RedisURL("redis://:pw@[::1]:2?db=3").credentials == RedisCredentials(password: "pw"))
        #expect(try RedisURL("redis://pw@[::1]:2?db=3").credentials == RedisCredentials(password: "pw"))
        #expect(try RedisURL("REDIS://[::1]:2?db=3") == RedisURL(topology: .single(host("::1", 2)), database: 3))
        #expect(try RedisURL("redis://a:b@c@h").credentials?.password == "b@c")
    }

    @Test func unixSockets() throws {
        let socket = RedisURL.Topology.single(.unixSocket("/run/redis.sock"))
        #expect(try RedisURL("unix:///run/redis.sock") == RedisURL(topology: socket))
        #expect(
            try RedisURL("redis+unix://u:p@/run/redis.sock?db=2")
                == RedisURL(
                    topology: socket, credentials: RedisCredentials(username: "u", password: "p"), database: 2))
    }

    @Test func sentinelsAndClusters() throws {
        let sentinels = [host("a", 26379), host("b", 5), host("::1", 26379)]
        #expect(
            try RedisURL("rediss+sentinel://:pw@a,b:5,[::1]/main/4?sentinel-password=s%25")
                == RedisURL(
                    topology: .sentinel(sentinels, master: "main", credentials: RedisCredentials(password: "s%")),
                    credentials: RedisCredentials(password: "pw"), database: 4, usesTLS: true))
        #expect(
            try RedisURL("redis+cluster://a:1,b/")
                == RedisURL(topology: .cluster([host("a", 1), host("b", 6379)])))
    }

    @Test(arguments: [
        ("localhost:6379", "the URL must start with a scheme such as redis://"),
        ("hunter2://h", "the scheme must be redis, rediss, redis+unix, redis+sentinel or redis+cluster"),
        ("redis://", "a host is missing"),
        ("redis://:hunter2@", "a host is missing"),
        ("redis://h:0", "a port is not a number from 1 to 65535"),
        ("redis://h:hunter2", "a port is not a number from 1 to 65535"),
        ("redis://h:65536", "a port is not a number from 1 to 65535"),
        ("redis://h/-1", "the database is not a number from 0 to 65535"),
        ("redis://h/x", "the database is not a number from 0 to 65535"),
        ("redis://h/1?db=1", "the database is given both in the path and in the parameter db"),
        ("redis://a,b", "several hosts need redis+sentinel:// or redis+cluster://"),
        ("redis://bob:@h", "a user without a password"),
        (
            "redis://bob:hunter2%zz@h",
            "a % in the password is not followed by two hexadecimal digits; write a % itself "
                + "as %25"
        ),
        ("redis://bob:hunter2%ff@h", "the password is not UTF-8"),
        ("redis://bob:hunter2/x@h", "write / and ? in the user or password as %2F and %3F, and an @ elsewhere as %40"),
        ("redis://bob:hunter2#x@h", "write a # in the password as %23; the URL takes no fragment"),
        ("redis://bob:hunter2?x@h", "write / and ? in the user or password as %2F and %3F, and an @ elsewhere as %40"),
        ("redis://::1", "an IPv6 address must be in brackets"),
        ("redis://[::1", "a [ without its ]"),
        ("redis://[::1]6379", "only a port may follow a ]"),
        ("redis://h?hunter2=1", "a parameter is unknown; these are known: db"),
        ("redis://h?db=1&db=1", "the parameter db is given twice"),
        ("redis+unix://h/path", "write a unix socket as redis+unix:///path/of/the.sock"),
        ("rediss+unix:///path", "a unix socket cannot use TLS"),
        ("redis+sentinel://a,b", "the master's name is missing: redis+sentinel://host:port,host:port/name"),
        ("redis+sentinel://a/m?sentinel-user=x", "sentinel-user without sentinel-password"),
        ("redis+cluster://a/1", "a Redis Cluster has only database 0"),
        ("redis+cluster://a,,b", "a host is missing"),
    ])
    func wrongURLsSayWhy(text: String, words: String) {
        let error = #expect(throws: RedisURLError.self) { try RedisURL(text) }
        #expect(error?.description == words)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test(arguments: [
        "redis://127.0.0.1:6379", "rediss://h:1/7", "redis+unix:///run/redis.sock?db=2",
        "redis+sentinel://a:1,[::1]:2/main/4", "rediss+cluster://a:1,b:2",
    ])
    func theDescriptionReadsBackWithoutSecrets(text: String) throws {
        let url = try RedisURL(text)
        #expect(url.description == text)
        var secret = url
        secret.credentials = RedisCredentials(username: "bob", password: "hunter2")
        if case .sentinel(let endpoints, let master, _) = url.topology {
            secret.topology = .sentinel(
                endpoints, master: master, credentials: RedisCredentials(password: "hunter2"))
        }
        var dumped = ""
        dump(secret, to: &dumped)
        for shown in ["\(secret)", String(reflecting: secret), dumped] { #expect(!shown.contains("hunter2")) }
    }
}
