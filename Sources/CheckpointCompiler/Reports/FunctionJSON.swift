// Functions and plans as JSON, for tools that look at what ckc did.
//
// Format      A function is {"name","arguments":[{"name","role","type"}],"results":[{"name","role",
//             "type"}],"ops":[{"op","results":[{"name","type"}],"operands":[name],"attributes":{…},
//             "parent":index}]}. Ops stand in running order; `parent` is the position in "ops" of
//             the op whose region holds it, and is absent in the body.

extension Function {
  /// The function as a JSON value. O(ops + operands).
  package var jsonValue: JSONValue {
    let names = valueNames
    var place = Table<OpID, Int>(repeating: -1, count: ops.count)
    var list: [JSONValue] = []
    for (index, id) in opsInOrder.enumerated() {
      place[id] = index
      let op = ops[id]
      var members = [
        JSONMember("op", .string(op.opcode.name)),
        JSONMember(
          "results",
          .array(
            results(of: id).map {
              ["name": .string(names[$0]), "type": .string(type(of: $0).description)]
            })),
        JSONMember("operands", .array(operands(of: op).map { .string(names[$0]) })),
      ]
      let attributes = op.attributes.jsonMembers
      if !attributes.isEmpty { members.append(JSONMember("attributes", .object(attributes))) }
      if let owner = blocks[op.block].owner {
        members.append(JSONMember("parent", .integer(place[owner])))
      }
      list.append(.object(members))
    }
    return [
      "name": .string(name),
      "arguments": .array(
        arguments.map {
          [
            "name": .string(names[$0.value]), "role": .string($0.role.rawValue),
            "type": .string(type(of: $0.value).description),
          ]
        }),
      "results": .array(
        zip(results, resultTypes).map {
          [
            "name": .string($0.name), "role": .string($0.role.word),
            "type": .string($1.description),
          ]
        }),
      "ops": .array(list),
    ]
  }

  /// The name of every value, as it is printed, without `%`.
  var valueNames: Table<ValueID, String> {
    var names = Table(values.elements.map(\.name)) as Table<ValueID, String>
    var next = 0
    func number(_ value: ValueID) {
      guard names[value].isEmpty else { return }
      names[value] = String(next)
      next += 1
    }
    for argument in arguments { number(argument.value) }
    for op in opsInOrder {
      for result in results(of: op) { number(result) }
    }
    return names
  }
}

extension ResultRole {
  /// The word of the role in the IR.
  fileprivate var word: String {
    switch self {
    case .output: "output"
    case .loss: "loss"
    case .gradient: "grad"
    case .update: "update"
    }
  }
}

extension Attributes {
  /// The attributes; the elements of large constants are left out.
  fileprivate var jsonMembers: [JSONMember] {
    entries.compactMap { entry in
      let value: JSONValue
      switch entry.value {
      case .int(let number): value = .integer(number)
      case .number(let number): value = .number(number)
      case .ints(let numbers): value = .array(numbers.map { .integer($0) })
      case .symbol(let word), .string(let word), .function(let word): value = .string(word)
      case .functions(let names): value = .array(names.map { .string($0) })
      case .constant: return nil
      }
      return JSONMember(entry.name.rawValue, value)
    }
  }
}

extension Compilation {
  /// The result of a stage as a JSON value; nil where the stage has not run.
  package func json(after stage: Stage) -> JSONValue? {
    let functions: [Function]?
    switch stage {
    case .parsed: functions = module.functions
    case .differentiated: functions = differentiated.map { [$0] }
    case .simplified: functions = simplified.map { [$0] }
    case .kernels: functions = grouped.map { [$0] }
    case .planned, .memory, .schedule: functions = step.map { [$0.function] }
    case .code: functions = nil
    }
    guard let functions else { return nil }
    var members = [
      JSONMember("stage", .string(stage.rawValue)),
      JSONMember("functions", .array(functions.map(\.jsonValue))),
    ]
    if stage == .memory, let step { members += step.memoryMembers }
    return .object(members)
  }
}

extension PlannedStep {
  /// The kernels and buffers of the step.
  fileprivate var memoryMembers: [JSONMember] {
    let live = liveBytes
    let kernels = assignment.order.kernels.enumerated().map { place, kernel -> JSONValue in
      [
        "name": .string(function.kernelName(kernel)), "liveBytes": .integer(live[place]),
        "isRecomputation": .bool(function.isRecomputation(kernel.op)),
      ]
    }
    let buffers = assignment.tenants.map { tenant -> JSONValue in
      var members = [
        JSONMember("name", .string(tenant.life.name)),
        JSONMember("lower", .integer(tenant.life.lower)),
        JSONMember("upper", .integer(tenant.life.upper)),
        JSONMember("sizeBytes", .integer(tenant.life.sizeBytes)),
        JSONMember("offset", .integer(packed.offsets[tenant.buffer])),
      ]
      if let old = tenant.predecessor {
        members.append(JSONMember("overwrites", .string(assignment.tenants[old].life.name)))
      }
      return .object(members)
    }
    return [
      JSONMember("arenaBytes", .integer(arenaBytes)),
      JSONMember("peakLiveBytes", .integer(peakLiveBytes)),
      JSONMember("kernels", .array(kernels)), JSONMember("buffers", .array(buffers)),
    ]
  }
}
