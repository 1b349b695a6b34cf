import NIOHTTP1

extension AdminRoutes {
    /// Live sessions and sockets, and how to end them.
    var sessions: [Route] {
        [
            Route(
                .GET, "/v1/sessions", "session.list",
                parameters: ["cursor", "limit", "client", "state", "destination"]
            ) { call in
                let question = SessionQuestion(
                    window: try call.query.window(), client: call.query.text("client"),
                    state: try call.query.choice("state"), destination: call.query.text("destination"))
                return try .json(try await self.backend.sessions(question))
            },
            Route(.DELETE, "/v1/sessions/{id}", "session.close") { call in
                guard try await self.backend.closeSession(call.parameter("id")) else {
                    throw AdminError.notFound("there is no such session")
                }
                return .noContent
            },
            Route(
                .GET, "/v1/sockets", "socket.list",
                parameters: ["cursor", "limit", "client", "state", "destination", "session"]
            ) { call in
                let question = SocketQuestion(
                    window: try call.query.window(), client: call.query.text("client"),
                    state: try call.query.choice("state"), destination: call.query.text("destination"),
                    session: call.query.text("session"))
                return try .json(try await self.backend.sockets(question))
            },
            Route(.DELETE, "/v1/sockets/{session}/{id}", "socket.close") { call in
                let (session, id) = (call.parameter("session"), call.parameter("id"))
                guard try await self.backend.closeSocket(session: session, id: id) else {
                    throw AdminError.notFound("there is no such socket")
                }
                return .noContent
            },
        ]
    }
}
