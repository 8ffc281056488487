"""Who the slices of tests are said to be of; nobody is."""

IDENTITY = {
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Geheim^Jürgen",
    "PatientID": "P-4711",
    "PatientBirthDate": "19600201",
    "PatientSex": "M",
    "StudyInstanceUID": "1.2.840.99.1",
    "StudyDate": "20200401",
    "StudyTime": "101112",
    "StudyID": "S1",
    "AccessionNumber": "A-0815",
    "ReferringPhysicianName": "Doktor^Überweisung",
    "StudyDescription": "Thorax nativ",
}
