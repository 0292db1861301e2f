// swift-tools-version: 6.2

import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "ckc",
  products: [
    .library(name: "CheckpointCompiler", targets: ["CheckpointCompiler"]),
    .executable(name: "ckc", targets: ["ckc"]),
  ],
  targets: [
    .target(name: "CheckpointCompiler", swiftSettings: settings),
    .target(
      name: "CompilerTesting", dependencies: ["CheckpointCompiler", "CUDAEmulation"],
      swiftSettings: settings),
    .target(
      name: "CUDAEmulation", dependencies: ["CheckpointCompiler"],
      resources: [
        "blocks.cpp", "checks.cpp", "ckc_device_api.h", "ckc_host_api.h", "ckc_launch.h",
        "ckc_runtime.h", "ckc_tensor_core.h", "copies.cpp", "cuda_runtime.h", "device.cpp",
        "fibers.cpp", "findings.cpp", "hooks.cpp", "memory.cpp", "runtime.cpp", "streams.cpp",
        "unchecked.cpp",
      ].map { .embedInCode("Runtime/\($0)") },
      swiftSettings: settings),
    .executableTarget(
      name: "ckc", dependencies: ["CheckpointCompiler", "CUDAEmulation"], swiftSettings: settings),
    .executableTarget(
      name: "ckc-fuzz", dependencies: ["CheckpointCompiler", "CompilerTesting", "CUDAEmulation"],
      swiftSettings: settings),
    .executableTarget(
      name: "ckc-bench", dependencies: ["CheckpointCompiler"],
      resources: ["peer.py", "torch_peer.py", "jax_peer.py"].map { .embedInCode("Peers/\($0)") },
      swiftSettings: settings),
    .testTarget(
      name: "CheckpointCompilerTests",
      dependencies: [
        "CheckpointCompiler", "CompilerTesting", "CUDAEmulation", "ckc", "ckc-bench",
      ],
      swiftSettings: settings),
  ]
)
