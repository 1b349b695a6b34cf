/// Writes families of metrics as text.
struct ExpositionWriter {
    private let format: ExpositionFormat
    private var text: [UInt8] = []

    init(_ format: ExpositionFormat) {
        self.format = format
        self.text.reserveCapacity(64 * 1024)
    }

    consuming func finish() -> [UInt8] {
        if self.format == .openMetrics { self.text.append(contentsOf: "# EOF\n".utf8) }
        return self.text
    }

    mutating func append(_ family: Family) {
        let name = Array((self.format == .openMetrics ? family.name.family : family.name.sample).utf8)
        if let help = family.help {
            self.metadata("HELP", name)
            self.text.append(escaped: help, quotes: self.format == .openMetrics)
            self.endLine()
        }
        self.metadata("TYPE", name)
        self.text.append(contentsOf: family.name.kind.rawValue.utf8)
        self.endLine()
        if let unit = family.unit, self.format == .openMetrics {
            self.metadata("UNIT", name)
            self.text.append(contentsOf: unit.utf8)
            self.endLine()
        }
        let sample = Array(family.name.sample.utf8)
        for series in family.series { self.append(series, sample) }
    }

    private mutating func append(_ series: Series, _ name: [UInt8]) {
        switch series.cell {
        case .counter(let counter):
            self.line(name, series.labels, counter.value)
        case .constant(let value): self.line(name, series.labels, value)
        case .gauge(let gauge): self.line(name, series.labels, gauge.value)
        case .callback(let read):
            guard let value = read() else { return }
            self.line(name, series.labels, value)
        case .histogram(let histogram): self.append(histogram, name, series.labels)
        }
    }

    private mutating func append(_ histogram: HistogramSeries, _ name: [UInt8], _ labels: LabelSet) {
        let reading = histogram.read()
        var count: UInt64 = 0
        for (index, bucket) in reading.buckets.enumerated() {
            count &+= bucket
            self.text.append(contentsOf: name)
            self.text.append(contentsOf: "_bucket{".utf8)
            if !labels.text.isEmpty {
                self.text.append(contentsOf: labels.text)
                self.text.append(UInt8(ascii: ","))
            }
            self.text.append(contentsOf: #"le=""#.utf8)
            if index < histogram.buckets.bounds.count {
                // OpenMetrics requires the bound as a float in its canonical form: 1.0, not 1.
                self.number(histogram.buckets.bounds[index], keepsPoint: self.format == .openMetrics)
            } else {
                self.text.append(contentsOf: "+Inf".utf8)
            }
            self.text.append(contentsOf: #""} "#.utf8)
            self.number(count)
            self.endLine()
        }
        self.line(name + Array("_sum".utf8), labels, reading.sum)
        self.line(name + Array("_count".utf8), labels, count)
    }

    private mutating func line(_ name: [UInt8], _ labels: LabelSet, _ value: Double) {
        self.sample(name, labels)
        self.number(value)
        self.endLine()
    }

    private mutating func line(_ name: [UInt8], _ labels: LabelSet, _ value: UInt64) {
        self.sample(name, labels)
        self.number(value)
        self.endLine()
    }

    private mutating func metadata(_ keyword: String, _ name: [UInt8]) {
        self.text.append(contentsOf: "# ".utf8)
        self.text.append(contentsOf: keyword.utf8)
        self.text.append(UInt8(ascii: " "))
        self.text.append(contentsOf: name)
        self.text.append(UInt8(ascii: " "))
    }

    private mutating func sample(_ name: [UInt8], _ labels: LabelSet) {
        self.text.append(contentsOf: name)
        if !labels.text.isEmpty {
            self.text.append(UInt8(ascii: "{"))
            self.text.append(contentsOf: labels.text)
            self.text.append(UInt8(ascii: "}"))
        }
        self.text.append(UInt8(ascii: " "))
    }

    private mutating func endLine() { self.text.append(UInt8(ascii: "\n")) }

    private mutating func number(_ value: UInt64) {
        guard value >= 10 else { return self.text.append(UInt8(ascii: "0") + UInt8(value)) }
        self.text.append(contentsOf: String(value).utf8)
    }

    private mutating func number(_ value: Double, keepsPoint: Bool = false) {
        if value.isNaN { return self.text.append(contentsOf: "NaN".utf8) }
        guard value.isFinite else { return self.text.append(contentsOf: (value < 0 ? "-Inf" : "+Inf").utf8) }
        let written = value.description.utf8
        let isWhole = written.count > 2 && written.suffix(2).elementsEqual(".0".utf8)
        self.text.append(contentsOf: isWhole && !keepsPoint ? written.dropLast(2) : written[...])
    }
}
