"""The operations that a served graph may hold.

None of them reads or writes a file, opens a connection, calls Python, prints,
or depends on anything but its inputs, weights and seeds. An operation that is
not listed is refused, whatever it does: a list of harmful ones would miss the
next one.
"""

_CONTROL = """
    NoOp Const Placeholder Identity IdentityN PartitionedCall
    StatefulPartitionedCall If StatelessIf Case StatelessCase While
    StatelessWhile Assert StopGradient PreventGradient CheckNumerics
    TensorListReserve TensorListFromTensor TensorListGetItem
    TensorListSetItem TensorListStack TensorListLength EmptyTensorList
    TensorListPushBack TensorListPopBack
"""
_WEIGHTS = """
    VarHandleOp ReadVariableOp VarIsInitializedOp ResourceGather
"""
_SHAPES = """
    Shape ShapeN Size Rank Reshape ExpandDims Squeeze Pack Unpack ConcatV2
    ConcatOffset Split SplitV Slice StridedSlice Pad PadV2 MirrorPad Tile
    Transpose ConjugateTranspose InvertPermutation Fill Range ZerosLike
    OnesLike BroadcastTo BroadcastArgs BroadcastGradientArgs Gather GatherV2
    GatherNd ScatterNd TensorScatterUpdate ReverseV2 Roll SpaceToDepth
    DepthToSpace SpaceToBatchND BatchToSpaceND EnsureShape Where
    Bincount DenseBincount Empty
"""
_MATHS = """
    Add AddV2 AddN Sub Mul RealDiv Div DivNoNan FloorDiv FloorMod Mod
    TruncateDiv TruncateMod Neg Abs Sign Square Sqrt Rsqrt SquaredDifference
    Pow Exp Expm1 Log Log1p Erf Erfc Erfinv Sin Cos Tan Tanh Atan2 Sigmoid
    Softplus Softsign Reciprocal Inv Round Rint Floor Ceil Minimum Maximum
    ClipByValue Cast Bitcast Select SelectV2 Equal NotEqual Less LessEqual
    Greater GreaterEqual LogicalAnd LogicalOr LogicalNot IsNan IsInf IsFinite
    ApproximateEqual BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift
    RightShift Sum Mean Prod Max Min All Any ArgMax ArgMin Cumsum Cumprod
    TopK TopKV2 Unique UniqueV2 SegmentSum UnsortedSegmentSum LinSpace
    MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum L2Loss OneHot
    Xdivy Xlogy
"""
_NETWORKS = """
    Conv2D DepthwiseConv2dNative BiasAdd Relu Relu6 LeakyRelu Elu Selu
    Softmax LogSoftmax AvgPool MaxPool FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 ResizeBilinear ResizeNearestNeighbor ResizeBicubic
    ResizeArea ScaleAndTranslate CropAndResize
"""
_IMAGES = """
    DecodeJpeg DecodePng DecodeGif DecodeBmp DecodeImage ExtractJpegShape
    EncodePng EncodeJpeg RGBToHSV HSVToRGB AdjustContrastv2
"""
_BYTES = """
    DecodeRaw DecodePaddedRaw StringLength Substr StringJoin StringSplitV2
    StringFormat RegexReplace StaticRegexReplace RegexFullMatch
    StaticRegexFullMatch AsString StringToNumber
    ParseExampleV2 ParseSingleExample
"""
_SEEDED = """
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
    StatelessRandomGetAlg StatelessRandomUniformV2
    StatelessRandomUniformFullIntV2 StatelessRandomUniformIntV2
    StatelessRandomNormalV2 StatelessTruncatedNormalV2
"""

COMPUTING = frozenset(
    " ".join(
        [
            *(_CONTROL, _WEIGHTS, _SHAPES, _MATHS, _NETWORKS, _IMAGES),
            *(_BYTES, _SEEDED),
        ]
    ).split()
)

# What reads the weights of a SavedModel, in functions that no signature calls.
RESTORING = COMPUTING | {
    *("AssignVariableOp", "SaveV2", "RestoreV2", "MergeV2Checkpoints"),
    *("ShardedFilename", "DisableCopyOnRead"),
}
