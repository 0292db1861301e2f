import Foundation
import Testing

@testable import CheckpointCompiler

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct DrawingTests {
  /// The elements of a well-formed document, and its text.
  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var text = ""

    func parser(
      _ parser: XMLParser, didStartElement element: String, namespaceURI: String?,
      qualifiedName: String?, attributes: [String: String]
    ) { elements[element, default: 0] += 1 }

    func parser(_ parser: XMLParser, foundCharacters characters: String) { text += characters }
  }

  private func read(_ document: String) throws -> Reader {
    let reader = Reader()
    let parser = XMLParser(data: Data(document.utf8))
    parser.delegate = reader
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    return reader
  }

  @Test func theTimelineShowsEveryBufferBeforeAndAfter() throws {
    let compilation = try PlanReportTests.compile()
    let drawing = try #require(compilation.timelineSVG())
    let reader = try read(drawing)
    let before = try #require(compilation.keepAll).assignment.tenants.count
    let after = try #require(compilation.step).assignment.tenants.count
    // One title is that of the drawing.
    #expect(reader.elements["title"] == before + after + 1)
    for word in ["Everything kept", "This plan", "forward", "backward", "kept for backward"] {
      #expect(reader.text.contains(word), "\(word)")
    }
    #expect(reader.text.contains("budget \(describeBytes(try #require(compilation.budgetBytes)))"))
    #expect(!drawing.contains("<script") && !drawing.contains("href"))
  }

  @Test func aStepThatKeepsEverythingIsDrawnOnce() throws {
    let compilation = try PlanReportTests.compile(CompileOptions())
    let drawing = try #require(compilation.timelineSVG())
    let reader = try read(drawing)
    #expect(reader.text.contains("Everything kept") && !reader.text.contains("This plan"))
    #expect(!drawing.contains(">budget"))
  }

  @Test func rolesAreThoseOfThePlan() throws {
    let compilation = try PlanReportTests.compile()
    let report = try #require(PlanReport(compilation))
    let timeline = MemoryTimeline(try #require(compilation.step), of: compilation)
    func names(_ role: MemoryTimeline.Role) -> Set<String> {
      Set(timeline.blocks.filter { $0.role == role }.map { originalName($0.name) })
    }
    #expect(names(.kept) == Set(report.kept))
    #expect(names(.dropped) == Set(report.recomputed))
    // Beside them, what it takes to make them again.
    #expect(names(.recomputed).isSuperset(of: report.recomputed))
    #expect(names(.forward).contains("p"))
    #expect(timeline.kernels.count(where: \.isRecomputation) == report.recomputedKernels)
    #expect(timeline.liveBytes.max() == timeline.peakLiveBytes)
    for block in timeline.blocks {
      #expect(block.offset + block.sizeBytes <= timeline.arenaBytes)
    }
  }

  @Test func thePageHoldsDrawingFiguresAndBuffers() throws {
    let compilation = try PlanReportTests.compile()
    let page = try #require(compilation.timelineHTML())
    let drawing = try #require(compilation.timelineSVG())
    #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains(drawing))
    #expect(page.contains("smallest arena") && page.contains("<code>%h0</code>"))
    #expect(!page.contains("<script") && !page.contains("<link") && !page.contains("src="))
  }

  @Test func theCurveIsWellFormed() throws {
    let curve = try #require(try PlanReportTests.compile(CompileOptions()).paretoCurve(count: 4))
    let reader = try read(curve.svg())
    #expect(reader.elements["circle"] == curve.points.count)
    let single = ParetoCurve(
      name: "f",
      points: [
        ParetoCurve.Point(arenaBytes: 0, peakLiveBytes: 0, cost: 0, recomputedKernels: 0)
      ], keepAllArenaBytes: 0, keepAllCost: 0)
    _ = try read(single.svg())
  }

  @Test func theGraphNamesKernelsRegionsAndValues() throws {
    let compilation = try PlanReportTests.compile()
    let planned = try #require(compilation.dot(after: .planned))
    #expect(planned.hasPrefix("digraph \"main\" {") && planned.hasSuffix("}\n"))
    #expect(planned.contains("label=\"recompute\"") && planned.contains("%h0\\nnegate"))
    #expect(planned.filter { $0 == "{" }.count == planned.filter { $0 == "}" }.count)
    for stage in Stage.allCases {
      #expect((compilation.dot(after: stage) == nil) == (stage == .code))
    }
  }

  @Test func namesAreEscaped() {
    #expect(xmlEscaped("<a & \"b\">") == "&lt;a &amp; &quot;b&quot;&gt;")
  }

  @Test func marksAreRound() {
    #expect(byteTick(upTo: 3328, count: 6) == 512 && byteTick(upTo: 0, count: 6) == 1)
    #expect(roundTick(upTo: 38, count: 12) == 5 && roundTick(upTo: 141, count: 6) == 50)
    #expect(roundTick(upTo: 0.7, count: 7) == 0.1 && roundTick(upTo: 0, count: 5) == 1)
  }
}
