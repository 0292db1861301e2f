enum FreeMoments { static func path(_ g: RematGraph, count: Int) -> [Int] { [] } }
enum Heavy { static func positions(_ g: RematGraph, _ m: Int) -> [Int] {
    var bytesChange = [Int](repeating: 0, count: g.nodeCount + 2)
    for value in 0..<g.valueCount {
      let start = Int(g.valueNode[value])
      var end = start
      if let last = g.users[g.userRange(of: value)].last { end = Int(last) }
      if g.isKept[value] { end = g.nodeCount }
      bytesChange[start] += g.valueBytes[value]
      bytesChange[min(end, g.nodeCount) + 1] -= g.valueBytes[value]
    }
    var inUse: [Int] = []
    var bytes = 0
    for position in 0..<g.nodeCount {
      bytes += bytesChange[position]
      inUse.append(bytes + g.scratchBytes[position])
    }
    if m < 0 { return [inUse.indices.sorted { (inUse[$0], $1) > (inUse[$1], $0) }[-m-1]] }
    return Array(inUse.indices.sorted { (inUse[$0], $1) > (inUse[$1], $0) }.prefix(m)).sorted()
}}
