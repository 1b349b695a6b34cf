import RedisClient

/// The scripts, each in its own file under `Scripts/`, prefixed with the common text.
enum ClusterScripts {
    static let reserve = Self.script(PackageResources.reserve_lua)
    static let heartbeat = Self.script(PackageResources.heartbeat_lua)
    static let retire = Self.script(PackageResources.retire_lua)
    static let generation = Self.script(PackageResources.generation_lua)
    static let rollCall = Self.script(PackageResources.rollcall_lua)
    static let grant = Self.script(PackageResources.grant_lua)
    static let override = Self.script(PackageResources.override_lua)
    static let repair = Self.script(PackageResources.repair_lua)
    static let rights = Self.script(PackageResources.rights_lua)
    static let register = Self.script(PackageResources.register_lua)

    static let denylistWrite = Self.script(PackageResources.denylist_write_lua)
    static let denylistRestore = Self.script(PackageResources.denylist_restore_lua)
    static let denylistPoll = Self.script(PackageResources.denylist_poll_lua)

    private static func script(_ bytes: [UInt8]) -> RedisScript {
        RedisScript(String(decoding: PackageResources.common_lua + bytes, as: UTF8.self))
    }
}
