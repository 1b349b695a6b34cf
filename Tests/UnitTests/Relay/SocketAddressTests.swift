import NIOCore
import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetRelay

@Suite struct SocketAddressTests {
    @Test(arguments: ["192.0.2.7", "2001:db8::1", "::1", "::"]) func thereAndBack(text: String) throws {
        let address = try #require(IPAddress(text))
        let socketAddress = try SocketAddress(address, port: 65_535)
        #expect(socketAddress.hostAddress == address)
        #expect(socketAddress.port == 65_535)
        #expect(try SocketAddress(ipAddress: text, port: 65_535) == socketAddress, "NIO reads it the same")
    }

    /// RFC 4291, section 2.5.5.2: only ::ffff:0:0/96 is an IPv4-mapped address.
    @Test func mappedAddressesAreUnmapped() throws {
        let four = IPAddress(v4: (192, 0, 2, 7))
        #expect(try SocketAddress(ipAddress: "::ffff:192.0.2.7", port: 1).hostAddress == four)
        #expect(four.mapped == IPAddress("::ffff:192.0.2.7"))
        #expect(four.mapped.withoutV4Mapping == four)
        for other in ["::192.0.2.7", "::fffe:192.0.2.7", "1::ffff:192.0.2.7", "64:ff9b::192.0.2.7"] {
            let address = try #require(IPAddress(other))
            #expect(address.withoutV4Mapping == address && address.mapped == address)
        }
    }

    @Test func anotherKindOfSocketHasNoAddress() throws {
        let unix = try SocketAddress(unixDomainSocketPath: "relay.socket")
        #expect(unix.hostAddress == nil)
        #expect(unix.endpointText == "unknown")
    }

    @Test func endpointsAreWrittenWithBrackets() throws {
        #expect(IPAddress(v4: (192, 0, 2, 7)).endpointText(port: 80) == "192.0.2.7:80")
        #expect(IPAddress.six(1).endpointText(port: 0) == "[2001:db8::1]:0")
        #expect(try SocketAddress(ipAddress: "::ffff:192.0.2.7", port: 9).endpointText == "192.0.2.7:9")
    }

    /// A client as operators write it, and as a node sees it.
    @Test func clientsAreWrittenInMoreThanOneWay() throws {
        for (text, id) in [
            ("192.0.2.7", "a:192.0.2.7"), ("::ffff:192.0.2.7", "a:192.0.2.7"), ("a:::ffff:c000:207", "a:192.0.2.7"),
            ("2001:db8::1", "a:2001:db8::/64"), ("a:2001:db8::/64", "a:2001:db8::/64"), ("::1", "a:::/64"),
            ("t:eve", "t:eve"),
        ] { #expect(ClientID(written: text)?.text == id, "\(text)") }
        for text in ["", "a:", "t:", "eve", "192.0.2.7/64", "::ffff:192.0.2.7/64", "192.0.2.7/32"] {
            #expect(ClientID(written: text) == nil, "\(text)")
        }
        #expect(ClientID(peer: IPAddress("::ffff:192.0.2.7")).text == "a:192.0.2.7")
    }
}
