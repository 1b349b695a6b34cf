import NIOCore

/// The operator's page at `/`. It contains no data of the node: it requests its data from the API.
package enum Dashboard {
    /// The page and its resources, each at its own path.
    package static let documents: [AdminDocument] =
        [
            Self.document("/", "text/html; charset=utf-8", PackageResources.dashboard_html),
            Self.document("/dashboard-icon.svg", "image/svg+xml", PackageResources.dashboard_icon_svg),
        ] + Self.styles + Self.scripts

    private static let styles = [
        ("dashboard.css", PackageResources.dashboard_css),
        ("dashboard-parts.css", PackageResources.dashboard_parts_css),
    ].map { Self.document("/\($0)", "text/css; charset=utf-8", $1) }

    private static let scripts = [
        ("dashboard.js", PackageResources.dashboard_js),
        ("dashboard-api.js", PackageResources.dashboard_api_js),
        ("dashboard-charts.js", PackageResources.dashboard_charts_js),
        ("dashboard-cluster.js", PackageResources.dashboard_cluster_js),
        ("dashboard-denylist.js", PackageResources.dashboard_denylist_js),
        ("dashboard-dom.js", PackageResources.dashboard_dom_js),
        ("dashboard-format.js", PackageResources.dashboard_format_js),
        ("dashboard-history.js", PackageResources.dashboard_history_js),
        ("dashboard-live.js", PackageResources.dashboard_live_js),
        ("dashboard-node.js", PackageResources.dashboard_node_js),
        ("dashboard-pages.js", PackageResources.dashboard_pages_js),
        ("dashboard-plot.js", PackageResources.dashboard_plot_js),
        ("dashboard-policy.js", PackageResources.dashboard_policy_js),
        ("dashboard-quota.js", PackageResources.dashboard_quota_js),
        ("dashboard-router.js", PackageResources.dashboard_router_js),
        ("dashboard-scale.js", PackageResources.dashboard_scale_js),
        ("dashboard-stream.js", PackageResources.dashboard_stream_js),
        ("dashboard-summary.js", PackageResources.dashboard_summary_js),
        ("dashboard-table.js", PackageResources.dashboard_table_js),
    ].map { Self.document("/\($0)", "text/javascript; charset=utf-8", $1) }

    private static func document(_ path: String, _ type: String, _ bytes: [UInt8]) -> AdminDocument {
        AdminDocument(path: path, contentType: type, bytes: ByteBuffer(bytes: bytes))
    }
}
