import PrometheusMetrics
import Testing

@Suite struct NegotiationTests {
    @Test(
        arguments: [
            (nil, .text),
            ("", .text),
            ("*/*", .text),
            ("text/plain", .text),
            ("application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", .openMetrics),
            ("APPLICATION/OpenMetrics-Text;Version=\"1.0.0\"", .openMetrics),
            ("application/openmetrics-text; version=0.0.1", .text),
            // The headers of Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
                    + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
            ),
            ("text/plain;q=0.9,application/openmetrics-text;q=0.8", .text),
            ("text/plain;q=0.8,application/openmetrics-text;q=0.9", .openMetrics),
            ("text/plain,application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text;q=0, */*", .text),
            ("application/openmetrics-text;q=0.000", .text),
            (
                "application/openmetrics-text;version=1.0.0;q=0.1, application/openmetrics-text;q=1, text/plain;q=0.5",
                .text
            ),
            ("application/*, text/html", .text),
            ("application/json", .text),
            ("application/openmetrics-text;q=nonsense", .text),
            ("application/openmetrics-text;q=1.5", .text),
            (",;=/,a,/,;q=1", .text),
            ("text/html, application/openmetrics-text ; q=0.2 , text/plain ; q=0.1", .openMetrics),
        ] as [(String?, ExpositionFormat)])
    func theFormatAskedForIsChosen(accept: String?, format: ExpositionFormat) {
        #expect(ExpositionFormat(accept: accept) == format)
    }
}
